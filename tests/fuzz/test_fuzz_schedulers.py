"""Arbitrary output of a scheduler's commands raises no exception and ends no job."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsl.common.commands import CommandResult
from parsl.jobs.states import JobState
from parsl.providers import CondorProvider, GridEngineProvider, LSFProvider, SlurmProvider
from parsl.providers.batch.answers import Answer, AnswerKind, StatusQuery
from parsl.providers.batch.dialect import Dialect
from parsl.providers.pbspro.pbspro import PBSProDialect
from parsl.providers.torque.torque import TorqueDialect
from tests.fuzz.damage import a_few, cut

DIALECTS: dict[str, Dialect] = {
    "condor": CondorProvider().dialect,
    "grid engine": GridEngineProvider().dialect,
    "lsf": LSFProvider().dialect,
    "pbs pro": PBSProDialect(),
    "slurm": SlurmProvider().dialect,
    "torque": TorqueDialect(),
}
QSTAT_F = """\
Job Id: 7.server.example
    Job_Name = parsl
    job_state = R
    substate = 42
    Resource_List.walltime = 00:10:00
    Variable_List = PBS_O_HOME=/home/u,A=
\tb

Job Id: 8.server.example
    Job_Name = parsl
    job_state = Q
    comment = Not Running: Insufficient amount of resource: ncpus

"""
PBS_JOBS = {
    "7.server": {"Job_Name": "parsl", "job_state": "R", "substate": 42, "comment": "Job run at noon"},
    "8.server": {"Job_Name": "parsl", "job_state": "Q", "Resource_List": {"walltime": "00:10:00"}},
}
CONDOR_JOBS = [
    {"ClusterId": 7, "ProcId": 0, "JobStatus": 2},
    {"ClusterId": 8, "ProcId": 0, "JobStatus": 1},
]
QSTAT_TABLE = """\
job-ID  prior   name       user   state submit/start at     queue        slots
------------------------------------------------------------------------------
      7 0.55500 parsl.htex sci    r     11/23/2026 10:00:00 all.q@node1      1
      8 0.00000 parsl.htex sci    qw    11/23/2026 10:00:00                  1
"""
QSTAT_DSV = """\
Job Id: 7.server|Job_Name=parsl|job_state=R|substate=42
Job Id: 8.server|Job_Name=parsl|job_state=Q|comment=Not Running
"""
SCONTROL = """\
JobId=7 JobName=f.sh Priority=429490 JobState=RUNNING Reason=None ExitCode=0:0 RunTime=00:00:01
"""
#: The output about running and queued jobs, for each form of query that reports them.
ALIVE = {
    "condor": [json.dumps(CONDOR_JOBS, indent=1)],
    "grid engine": [QSTAT_TABLE],
    "lsf": ["7|RUN|-|-|-\n8|PEND|-|-|New job is waiting for scheduling;\n"],
    "pbs pro": [json.dumps({"pbs_server": "server", "Jobs": PBS_JOBS}, indent=2), QSTAT_F, QSTAT_DSV],
    "slurm": ["7|RUNNING|None\n8|PENDING|Resources\n", "7|RUNNING|0:0|\n8|PENDING|0:0|\n", SCONTROL],
    "torque": [QSTAT_F],
}
EXITS = st.integers(-64, 255)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
).map(json.dumps)
LINES = st.lists(
    st.lists(st.text(max_size=6) | st.integers().map(str), max_size=6).flatmap(
        lambda words: st.sampled_from(["|", " ", " = ", "=", ":"]).map(lambda between: between.join(words))
    ),
    max_size=6,
).map(lambda lines: "\n".join(lines) + "\n")
ANYTHING = st.text() | JSON | LINES


def queries(dialect: Dialect) -> Iterator[StatusQuery]:
    """Yield all forms in which the dialect queries jobs."""
    yield from dialect.status_queries
    for query in (
        dialect.history_query,
        dialect.existence_query,
        dialect.detail_query,
        dialect.feasibility_query,
    ):
        if query is not None:
            yield query


def printed(query: StatusQuery, stdout: str, stderr: str = "", code: int = 0, late: bool = False) -> Answer:
    return query.read(CommandResult(tuple(query.command(["7"])), code, stdout, stderr, late))


def ended(answer: Answer) -> list[Any]:
    return [record for record in answer.records.values() if record.terminal]


@pytest.mark.parametrize("name", DIALECTS)
def test_some_query_understands_each_example(name: str) -> None:
    """Otherwise damaging the examples would prove nothing."""
    for text in ALIVE[name]:
        answers = [printed(query, text) for query in queries(DIALECTS[name])]
        assert any(
            record.state is JobState.RUNNING for answer in answers for record in answer.records.values()
        )


@pytest.mark.parametrize("name", DIALECTS)
@a_few
@given(stdout=ANYTHING, stderr=st.text(), code=EXITS, late=st.booleans())
def test_no_output_ends_a_job_or_raises_an_error(
    name: str, stdout: str, stderr: str, code: int, late: bool
) -> None:
    for query in queries(DIALECTS[name]):
        answer = printed(query, stdout, stderr, code, late)
        assert isinstance(answer.kind, AnswerKind)
        assert not ended(answer)
        if answer.kind is not AnswerKind.USABLE:
            assert not answer.records
            assert answer.problem


@pytest.mark.parametrize("name", DIALECTS)
@a_few
@given(data=st.data(), code=st.sampled_from([0, 0, 1, 153, -9]))
def test_jobs_that_run_are_not_at_their_end_however_the_output_is_cut(
    name: str, data: Any, code: int
) -> None:
    stdout = data.draw(st.sampled_from(ALIVE[name]).flatmap(cut))
    for query in queries(DIALECTS[name]):
        answer = printed(query, stdout, "", code)
        assert not ended(answer)
        assert not answer.unknown, "the scheduler did not report that the job is unknown"


@pytest.mark.parametrize("name", DIALECTS)
@a_few
@given(stdout=ANYTHING, stderr=st.text(), code=EXITS)
def test_submissions_searches_and_cancellations_get_an_answer(
    name: str, stdout: str, stderr: str, code: int
) -> None:
    dialect = DIALECTS[name]
    job_id = dialect.read_job_id(stdout)
    assert job_id is None or (job_id.strip() == job_id != "")
    result = CommandResult(("command",), code, stdout, stderr, False)
    assert isinstance(dialect.is_permanent_refusal(result), bool)
    accepted = dialect.read_cancellation(["7", "8"], result)
    assert [type(one) for one in accepted] == [bool, bool]
    assert dialect.find_command("parsl")
    found = dialect.read_found("parsl", result)
    assert found is None or all(isinstance(one, str) and one for one in found)
