from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsl.common.commands import CommandResult
from parsl.jobs.states import TERMINAL_STATES, JobState
from parsl.providers.batch.answers import Answer, AnswerKind, UnreadableAnswer
from parsl.providers.pbspro.pbspro import PBSProDialect, QstatDsv, QstatJson
from parsl.providers.torque.torque import Qstat, TorqueDialect, make_record, short_id

RUNNING = """Job Id: 7.server.example
    Job_Name = parsl
    job_state = R
    resources_used.walltime = 00:01:00
    Resource_List.walltime = 00:10:00
    Variable_List = PBS_O_HOME=/home/u,A=
	b

"""
PARSERS = (QstatJson().jobs_in, QstatDsv().jobs_in, Qstat().jobs_in)
READERS = [query.read for dialect in (PBSProDialect(), TorqueDialect()) for query in dialect.status_queries]


def test_torque_reports_running_jobs():
    (query,) = TorqueDialect().status_queries
    result = CommandResult(("qstat",), 153, RUNNING, "qstat: Unknown Job Id Error 8.server.example\n", False)
    answer = query.read(result)
    assert answer.records["7"].state is JobState.RUNNING
    assert answer.unknown == {"8"}


@pytest.mark.parametrize(
    ("attributes", "state", "exit_code"),
    [
        ({"job_state": "C", "exit_status": "0"}, JobState.COMPLETED, 0),
        ({"job_state": "C", "exit_status": "1"}, JobState.FAILED, 1),
        ({"job_state": "C", "exit_status": "271"}, JobState.CANCELLED, 271),
        ({"job_state": "C"}, JobState.CANCELLED, None),
        (
            {
                "job_state": "C",
                "exit_status": "271",
                "resources_used.walltime": "00:10:03",
                "Resource_List.walltime": "00:10:00",
            },
            JobState.TIMEOUT,
            271,
        ),
        ({"job_state": "T"}, JobState.PENDING, None),
        ({"job_state": "Y"}, JobState.UNKNOWN, None),
    ],
)
def test_states_of_torque(attributes, state, exit_code):
    record = make_record("7.server", attributes)
    assert (record.state, record.exit_code) == (state, exit_code)


@pytest.mark.parametrize(
    ("stdout", "job_id"),
    [
        ("12.server.example\n", "12.server.example"),
        ("12\n", "12"),
        ("Job routed to the queue small.\n12[].server\n\n", "12[].server"),
        ("", None),
        ("qsub: something\n", None),
    ],
)
def test_job_id(stdout, job_id):
    assert TorqueDialect().read_job_id(stdout) == job_id


@pytest.mark.parametrize("job_id", ["12", "12.server", "12.server.example", "12.server@other", " 12.s\n"])
def test_long_and_short_ids_are_the_same_job(job_id):
    assert short_id(job_id) == "12"


def test_the_environment_of_a_job_cannot_end_it():
    text = (
        "Job Id: 7.s|job_state=R|substate=42|Variable_List=A=x|job_state=F,B=1\nJob Id: not one\n"
        "Exit_status=0|comment=fine\n"
    )
    ((job_id, attributes),) = QstatDsv().jobs_in(text)
    assert (job_id, attributes["job_state"]) == ("7.s", "R")


LINES = st.lists(
    st.sampled_from(["Job Id: 7.s", "    job_state = F", "\tmore", "|job_state=F", "|comment=x", ""])
    | st.text()
).map("\n".join)


@settings(deadline=None)
@given(st.sampled_from(PARSERS), st.text() | LINES)
def test_parsers_raise_only_unreadable_errors(parse, text):
    try:
        jobs = parse(text)
    except UnreadableAnswer:
        return
    assert isinstance(jobs, list)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=9), children, max_size=3)
    ),
    max_leaves=8,
)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["job_state", "Exit_status", "comment", "substate", "Hold_Types", "x"]), JSON_VALUES
)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=6) | st.just("7.s"), ATTRIBUTES | JSON_VALUES))
def test_only_final_states_end_a_job(jobs):
    text = json.dumps({"pbs_server": "s", "Jobs": jobs})
    for job_id, attributes in QstatJson().jobs_in(text):
        record = make_record(job_id, attributes)
        assert (record.state in TERMINAL_STATES) == (attributes["job_state"] in ("F", "X", "C"))


@settings(deadline=None)
@given(st.sampled_from(READERS), st.text(), st.text(), st.integers(-64, 255), st.booleans())
def test_malformed_output_is_not_an_answer(read, stdout, stderr, exit_code, timed_out):
    answer = read(CommandResult(("qstat",), exit_code, stdout, stderr, timed_out))
    assert isinstance(answer, Answer)
    assert not answer.records
    assert answer.kind is not AnswerKind.USABLE or answer.unknown
