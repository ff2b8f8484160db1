from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsl.common.commands import CommandResult
from parsl.jobs.states import TERMINAL_STATES, JobState
from parsl.providers import LSFProvider
from parsl.providers.batch.answers import AnswerKind
from parsl.providers.lsf.lsf import STATES, Bjobs
from parsl.validate import ParameterError

DIALECT = LSFProvider().dialect

BJOBS = """\
1|PEND|-|-|New job is waiting for scheduling;
2|RUN|-|-|-
3|DONE|0|-|-
4|EXIT|3|-|-
5|EXIT|140|TERM_RUNLIMIT: job killed after reaching LSF run time limit|-
6|EXIT|130|TERM_OWNER: job killed by owner|-
7|PSUSP|-|-|The job was suspended by the user while pending;
8|UNKWN|-|-|-
9|ODD|-|-|-
"""


def result(stdout="", stderr="", exit_code=0):
    return CommandResult(("bjobs",), exit_code, stdout, stderr, False)


def test_bjobs():
    records = Bjobs().read(result(BJOBS, "Job <10> is not found\n", 255))
    assert {int(job_id): (one.state.name, one.exit_code) for job_id, one in records.records.items()} == {
        1: ("PENDING", None), 2: ("RUNNING", None), 3: ("COMPLETED", 0), 4: ("FAILED", 3),
        5: ("TIMEOUT", 140),
        6: ("CANCELLED", 130), 7: ("HELD", None), 8: ("UNKNOWN", None), 9: ("UNKNOWN", None),
    }  # fmt: skip
    assert records.unknown == {"10"}
    assert records.records["7"].message == "The job was suspended by the user while pending;"


@pytest.mark.parametrize(
    ("reason", "can_never_run"),
    [
        ("Dependency condition invalid or never satisfied;", True),
        ("Job dependency condition not satisfied;", False),
        ("Job's requirements for resource reservation not satisfied: 4 hosts;", False),
        ("Closed by LSF administrator: 2 hosts; Job slot limit reached: 5 hosts;", False),
    ],
)
def test_a_permanent_pending_reason_is_recognized(reason, can_never_run):
    record = Bjobs().read(result(f"1|PEND|-|-|{reason}\n")).records["1"]
    assert (record.can_never_run, record.message) == (can_never_run, reason)
    assert record.state is (JobState.HELD if can_never_run else JobState.PENDING)


def test_a_failed_bjobs_is_handled():
    assert Bjobs().read(result("", "LSF is down. Please wait ...\n", 255)).kind is AnswerKind.UNREACHABLE
    assert Bjobs().read(result("garbage\n")).kind is AnswerKind.UNUSABLE


@settings(deadline=None)
@given(st.text(), st.text(), st.integers(-64, 255))
def test_malformed_output_ends_no_job(stdout, stderr, exit_code):
    records = Bjobs().read(result(stdout, stderr, exit_code)).records.values()
    assert not TERMINAL_STATES & {record.state for record in records}


def test_job_id():
    assert DIALECT.read_job_id("Job <99> is submitted to default queue <normal>.\n") == "99"
    assert DIALECT.read_job_id("Request aborted by esub\n") is None


@pytest.mark.parametrize(
    ("stderr", "is_permanent"),
    [
        ("q: No such queue. Job not submitted.", True),
        ("RUNLIMIT: Cannot exceed queue's hard limit(s). Job not submitted.", True),
        ("User cannot use the queue. Job not submitted.", True),
        ("LSF is down. Please wait ...", False),
        ("Pending job threshold reached. Retrying in 60 seconds...", False),
    ],
)
def test_refusals(stderr, is_permanent):
    assert DIALECT.is_permanent_refusal(result("", stderr, 255)) == is_permanent


@pytest.mark.parametrize(
    ("stdout", "stderr", "exit_code", "answers"),
    [
        ("Job <1> is being terminated\nJob <2> is being terminated\n", "", 0, [True, True]),
        ("", "Job <1>: No matching job found\nJob <2>: Job has already finished\n", 255, [True, True]),
        ("", "LSF is down. Please wait ...\n", 255, [False, False]),
    ],
)
def test_cancel(stdout, stderr, exit_code, answers):
    assert DIALECT.read_cancellation(["1", "2"], result(stdout, stderr, exit_code)) == answers


@pytest.mark.parametrize("reads_stdin", [False, True])
def test_bsub_reads_the_script_as_the_site_requires(reads_stdin, tmp_path, commands):
    commands.add("bsub", f"cat >{tmp_path}/stdin; echo 'Job <99> is submitted to queue <q>.'")
    provider = LSFProvider(bsub_redirection=reads_stdin)
    provider.script_dir = str(tmp_path / "scripts")
    assert provider.submit("c", 1) == "99"
    (script,) = (tmp_path / "scripts").iterdir()
    (call,) = commands.calls()
    assert (tmp_path / "stdin").read_text() == (script.read_text() if reads_stdin else "")
    assert call.strip() == ("bsub" if reads_stdin else f"bsub {script}")


def test_blocks_sized_by_cores_need_a_number_of_cores():
    with pytest.raises(ParameterError, match=r"cores_per_block is None.*request_by_nodes=False"):
        LSFProvider(request_by_nodes=False)
    with pytest.raises(ParameterError, match="cores_per_node is None"):
        LSFProvider(request_by_nodes=False, cores_per_block=4)


def test_lsf_has_two_final_states():
    final = {name for name, state in STATES.items() if state in TERMINAL_STATES}
    assert final == {"DONE", "EXIT"}
    assert STATES["UNKWN"] is JobState.UNKNOWN
