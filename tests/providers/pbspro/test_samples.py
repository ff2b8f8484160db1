"""The PBS dialect reads all recorded output of two versions of PBS Pro."""

from __future__ import annotations

import pytest

from parsl.jobs.states import JobState
from parsl.providers.batch.answers import AnswerKind
from parsl.providers.batch.scheduler import read_submission
from parsl.providers.errors import SubmitException
from parsl.providers.pbspro.pbspro import PBSProDialect
from tests.providers import pbs_samples

DIALECT = PBSProDialect()
JSON, DSV, FULL = (question.read for question in DIALECT.status_queries[:3])
READERS = {"qstat-dsv": DSV, "qstat-running-f": FULL, "qstat-running-fw": FULL}

#: name: state, exit code, a part of the message
SINGLE_JOBS = {
    "qstat-running": (JobState.RUNNING, None, "Job run at"),
    "qstat-running-f": (JobState.RUNNING, None, "(x4000c0s0b0n0:ncpus=208)+(x4000c0s1b0n0:ncpus=208)"),
    "qstat-running-fw": (JobState.RUNNING, None, "(x4000c0s0b0n0:ncpus=208)+(x4000c0s1b0n0:ncpus=208)"),
    "qstat-queued": (JobState.PENDING, None, "Not Running: Not enough free nodes available"),
    "qstat-queued-can-never-run": (JobState.HELD, None, "Can Never Run: Not enough total nodes"),
    "qstat-held": (JobState.HELD, None, "held by the user"),
    "qstat-held-dependency": (JobState.HELD, None, "held by the system"),
    "qstat-held-bad-prologue": (JobState.HELD, None, "job held, too many failed attempts to run"),
    "qstat-waiting": (JobState.PENDING, None, None),
    "qstat-array": (JobState.RUNNING, None, "Job Array Began"),
    "qstat-finished-exit0": (JobState.COMPLETED, 0, "finished"),
    "qstat-finished-exit3": (JobState.FAILED, 3, "failed"),
    "qstat-finished-signal9": (JobState.FAILED, 137, "failed"),
    "qstat-finished-no-shell": (JobState.FAILED, 254, "failed"),
    "qstat-finished-no-output-dir": (JobState.COMPLETED, 0, "finished"),
    "qstat-walltime-killed": (JobState.TIMEOUT, -29, "exceeded resource walltime"),
    "qstat-just-after-qdel": (JobState.RUNNING, None, "terminated by"),
    "qstat-deleted-running": (JobState.CANCELLED, 271, "terminated by"),
    "qstat-deleted-stubborn": (JobState.CANCELLED, 271, "terminated by"),
    "qstat-deleted-queued": (JobState.CANCELLED, None, "terminated"),
    "qstat-short-id": (JobState.RUNNING, None, "Job run at"),
    "qstat-odd-values": (JobState.COMPLETED, 0, "finished"),
    "qstat-value-quote": (JobState.COMPLETED, 0, "finished"),
    "qstat-value-bash-function": (JobState.COMPLETED, 0, "finished"),
    "qstat-numeric-account": (JobState.COMPLETED, 0, "finished"),
    "qstat-policy-finished": (JobState.COMPLETED, 0, "finished"),
    "qstat-rerun": (JobState.PENDING, None, "Job run at"),
    "qstat-rerun-running": (JobState.RUNNING, None, "Job run at"),
    "qstat-suspended": (JobState.RUNNING, None, "suspended"),
    "qstat-during-epilogue": (JobState.RUNNING, None, "Job run at"),
    "qstat-exiting": (JobState.RUNNING, None, "Job run at"),
    "qstat-node-dead-3s": (JobState.RUNNING, None, "Job run at"),
    "qstat-node-dead-later": (JobState.RUNNING, None, "Job run at"),
}
#: Valid JSON in one version, invalid in the other.
ODD_JSON = ("qstat-value-nan", "qstat-value-infinity", "qstat-value-point5", "qstat-value-regex")
SEVERAL_JOBS = (
    "qstat-answer-for-many", "qstat-array-subjobs", "qstat-mixed", "qstat-mixed-without-x", "qstat-dsv",
    "qstat-server-back",
)  # fmt: skip
WITHOUT_JOBS = {
    "qstat-unknown": AnswerKind.USABLE,
    "qstat-unknown-x": AnswerKind.USABLE,
    "qstat-finished-without-x": AnswerKind.USABLE,
    "qstat-no-jobs": AnswerKind.USABLE,
    "qstat-illegal": AnswerKind.UNUSABLE,
    "qstat-user-json": AnswerKind.UNUSABLE,
    "qstat-x-history-off": AnswerKind.UNUSABLE,
    "qstat-server-down": AnswerKind.UNREACHABLE,
    "qstat-network-down": AnswerKind.UNREACHABLE,
    "qstat-server-frozen": AnswerKind.UNREACHABLE,
}
REFUSED_FOR_GOOD = {
    "qsub-bad-queue", "qsub-bad-resource", "qsub-bad-select", "qsub-bad-walltime-format",
    "qsub-walltime-over-limit", "qsub-no-such-script", "qsub-bad-option", "qsub-bad-directive",
    "qsub-bad-name", "qsub-long-name", "qsub-policy-no-account", "qsub-policy-no-filesystems",
    "qsub-policy-no-walltime",
}  # fmt: skip
REFUSED_FOR_NOW = {
    "qsub-queue-disabled", "qsub-over-user-limit", "qsub-server-down", "qsub-many-lines-stderr",
}  # fmt: skip
CANCELLED = {
    "qdel-running": [True],
    "qdel-queued": [True],
    "qdel-finished": [True],
    "qdel-unknown": [True],
    "qdel-two-one-finished": [True, True],
    "qdel-illegal": [False],
    "qdel-server-down": [False],
}


def read(version, name):
    return READERS.get(name, JSON)(pbs_samples.load(version)[name])


@pytest.mark.parametrize(("version", "name"), pbs_samples.names("qstat-"))
def test_every_sample_is_covered_by_a_test(version, name):
    assert name in SINGLE_JOBS or name in ODD_JSON or name in SEVERAL_JOBS or name in WITHOUT_JOBS


@pytest.mark.parametrize(
    ("version", "name"), [pair for pair in pbs_samples.names("qstat-") if pair[1] in SINGLE_JOBS]
)
def test_one_job(version, name):
    state, exit_code, words = SINGLE_JOBS[name]
    answer = read(version, name)
    (record,) = answer.records.values()
    assert (answer.kind, record.state, record.exit_code) == (AnswerKind.USABLE, state, exit_code)
    assert record.message is None if words is None else words in record.message
    assert record.can_never_run == (name == "qstat-queued-can-never-run")
    queried = pbs_samples.load(version)[name].command[-1]
    assert DIALECT.short_id(queried) == record.job_id, "long and short ids are the same job"


@pytest.mark.parametrize("name", ODD_JSON)
def test_values_that_break_one_versions_json(name):
    assert read("v23.06.06", name).kind is AnswerKind.UNUSABLE
    (record,) = read("main-2026-04", name).records.values()
    assert (record.state, record.exit_code) == (JobState.COMPLETED, 0)


@pytest.mark.parametrize("version", pbs_samples.VERSIONS)
def test_one_versions_json_covers_only_the_first_of_several_jobs(version):
    records = read(version, "qstat-answer-for-many").records
    assert len(records) == (3 if version == "v23.06.06" else 1)
    first = next(iter(records.values()))
    assert first.state is JobState.RUNNING


@pytest.mark.parametrize("version", pbs_samples.VERSIONS)
def test_the_separated_format_covers_all_jobs_in_both_versions(version):
    running, finished = read(version, "qstat-dsv").records.values()
    assert (running.state, finished.state, finished.exit_code) == (JobState.RUNNING, JobState.COMPLETED, 0)
    assert "Job run at" in running.message


@pytest.mark.parametrize("version", pbs_samples.VERSIONS)
def test_an_unknown_job_among_others_hides_none_of_them(version):
    answer = read(version, "qstat-mixed")
    assert answer.unknown == {"999999"}
    assert JobState.RUNNING in {record.state for record in answer.records.values()}


@pytest.mark.parametrize("version", pbs_samples.VERSIONS)
def test_a_finished_job_among_others_without_history(version):
    answer = read(version, "qstat-mixed-without-x")
    assert [record.state for record in answer.records.values()] == [JobState.RUNNING]
    assert len(answer.unknown) == 1


@pytest.mark.parametrize(
    ("version", "name"), [pair for pair in pbs_samples.names("qstat-") if pair[1] in WITHOUT_JOBS]
)
def test_without_jobs(version, name):
    answer = read(version, name)
    assert (answer.kind, answer.records) == (WITHOUT_JOBS[name], {})
    assert (answer.problem is None) == (answer.kind is AnswerKind.USABLE)


@pytest.mark.parametrize(("version", "name"), pbs_samples.names("qsub-"))
def test_submission(version, name):
    result = pbs_samples.load(version)[name]
    if name not in REFUSED_FOR_GOOD | REFUSED_FOR_NOW:
        assert read_submission(DIALECT, "job", result).endswith(".hostmgmt.cm.aurora.lcf.lab.test")
        return
    with pytest.raises(SubmitException) as caught:
        read_submission(DIALECT, "job", result)
    error = caught.value
    assert error.is_permanent == (name in REFUSED_FOR_GOOD)
    assert (error.retcode, error.stderr, error.command) == (result.exit_code, result.stderr, result.command)
    assert result.stderr.strip() in str(error), "the scheduler's own words"


@pytest.mark.parametrize(("version", "name"), pbs_samples.names("qdel-"))
def test_cancellation(version, name):
    result = pbs_samples.load(version)[name]
    assert DIALECT.read_cancellation(result.command[1:], result) == CANCELLED[name]


@pytest.mark.parametrize("form", [JSON, DSV, FULL])
def test_truncated_output_ends_no_job(form):
    """Every output is cut at every byte: the readable rest is correct or empty."""
    name = {JSON: "qstat-finished-exit3", DSV: "qstat-dsv", FULL: "qstat-running-fw"}[form]
    result = pbs_samples.load("v23.06.06")[name]
    whole = form(result).records
    for end in range(len(result.stdout)):
        records = form(result._replace(stdout=result.stdout[:end])).records
        assert all(record.state is whole[job_id].state for job_id, record in records.items())
