from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsl.common.commands import CommandResult
from parsl.jobs.states import TERMINAL_STATES, JobState
from parsl.providers import CondorProvider
from parsl.providers.batch.answers import AnswerKind
from parsl.providers.batch.status_collector import StatusCollector
from parsl.providers.condor.condor import CondorQ
from parsl.validate import ParameterError

DIALECT = CondorProvider().dialect
DOWN = "Error: Can't find address of local schedd\n"


def result(stdout="", stderr="", exit_code=0):
    return CommandResult(("condor_q",), exit_code, stdout, stderr, False)


def job(number, status, **attributes):
    return {"ClusterId": number, "ProcId": 0, "JobStatus": status, **attributes}


@pytest.mark.parametrize(
    ("attributes", "state", "exit_code", "message"),
    [
        (job(5, 1), JobState.PENDING, None, None),
        (job(5, 2), JobState.RUNNING, None, None),
        (job(5, 3, RemoveReason="via condor_rm"), JobState.CANCELLED, None, "via condor_rm"),
        (job(5, 3, RemoveReason="The job attribute PeriodicRemove ..."), JobState.TIMEOUT, None, "The job"),
        (job(5, 4, ExitCode=0), JobState.COMPLETED, 0, None),
        (job(5, 4, ExitCode=3), JobState.FAILED, 3, None),
        (job(5, 4, ExitBySignal=True, ExitSignal=9), JobState.FAILED, 137, None),
        (job(5, 5, HoldReason="Cannot access /x"), JobState.HELD, None, "Cannot access /x"),
        (job(5, 9), JobState.UNKNOWN, None, "HTCondor reports"),
    ],
)
def test_jobs(attributes, state, exit_code, message):
    (record,) = CondorQ().read(result(json.dumps([attributes]))).records.values()
    assert (record.job_id, record.state, record.exit_code) == ("5.0", state, exit_code)
    assert record.message is None if message is None else record.message.startswith(message)


def test_answers_without_jobs():
    assert CondorQ().read(result()).kind is AnswerKind.USABLE
    assert CondorQ().read(result("", DOWN, 1)).kind is AnswerKind.UNREACHABLE
    assert CondorQ().read(result("garbage")).kind is AnswerKind.UNUSABLE
    assert CondorQ().read(result("[1]")).kind is AnswerKind.UNUSABLE


@settings(deadline=None)
@given(
    st.text() | st.lists(st.dictionaries(st.text(), st.integers())).map(json.dumps), st.text(), st.integers()
)
def test_malformed_output_ends_no_job(stdout, stderr, exit_code):
    records = CondorQ().read(result(stdout, stderr, exit_code)).records.values()
    assert not TERMINAL_STATES & {record.state for record in records}


def test_a_job_outside_the_queue_is_found_in_the_history():
    queries = []

    def run(command):
        queries.append(" ".join(command[:2]))
        is_old = command[:2] == ["condor_history", "5.0"]
        stdout = json.dumps([job(5, 4, ExitCode=3)]) if is_old else ""
        return CommandResult(tuple(command), 0, stdout, "", False)

    findings = StatusCollector(DIALECT).collect(run, ["5.0", "6.0"], 100)
    assert findings.records["5.0"].exit_code == 3
    assert findings.gone == {"6.0"}
    assert queries == ["condor_q 5.0", "condor_history 5.0", "condor_history 6.0", "condor_q 6.0"]


def test_job_id():
    assert DIALECT.read_job_id("Submitting job(s).\n1 job(s) submitted to cluster 5.\n") == "5.0"
    assert DIALECT.read_job_id("") is None


def test_submits_the_description_next_to_the_script(tmp_path, commands):
    commands.add("condor_submit", "echo '1 job(s) submitted to cluster 5.'")
    provider = CondorProvider()
    provider.script_dir = str(tmp_path / "scripts")
    assert provider.submit("c", 1) == "5.0"
    script, description = sorted((tmp_path / "scripts").iterdir())
    assert commands.calls() == [f"condor_submit {description}"]
    assert f"transfer_input_files = {script}\n" in description.read_text()


@pytest.mark.parametrize(
    ("stderr", "is_permanent"),
    [
        ("ERROR: Parse error in expression", True),
        (DOWN, False),
        ("ERROR: Failed to connect to queue manager", False),
    ],
)
def test_refusals(stderr, is_permanent):
    assert DIALECT.is_permanent_refusal(result("", stderr, 1)) == is_permanent


def test_cancel():
    assert DIALECT.read_cancellation(["5.0"], result("Job 5.0 not found\n", "", 1)) == [True]
    assert DIALECT.read_cancellation(["5.0"], result("", DOWN, 1)) == [False]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"transfer_input_files": ["a,b"]}, "without a comma"),
        ({"transfer_input_files": "ab"}, "list of str"),
        ({"environment": ["A"]}, "a dict of strings"),
        ({"environment": {"A": "x\ny"}}, "one-line"),
        ({"cores_per_slot": 0}, "cores_per_slot is 0"),
        ({"cmd_chunk_size": 0}, "cmd_chunk_size is 0"),
    ],
)
def test_wrong_parameters(options, message):
    with pytest.raises(ParameterError, match=message):
        CondorProvider(**options)
