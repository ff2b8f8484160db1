from __future__ import annotations

import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsl.common.commands import CommandResult
from parsl.jobs.states import TERMINAL_STATES, JobState
from parsl.providers import GridEngineProvider
from parsl.providers.batch.answers import AnswerKind
from parsl.providers.batch.status_collector import StatusCollector
from parsl.providers.grid_engine.grid_engine import (
    Qacct,
    Qalter,
    Qstat,
    QstatDetails,
    meaning,
)

DIALECT = GridEngineProvider().dialect

QSTAT = """\
job-ID  prior   name       user         state submit/start at     queue                          slots
-----------------------------------------------------------------------------------------------------
      1 0.55500 parsl.htex sci          r     11/23/2026 10:00:00 all.q@node1                        1
      2 0.00000 parsl.htex sci          qw    11/23/2026 10:00:00                                    1
      3 0.00000 parsl.htex sci          Eqw   11/23/2026 10:00:00                                    1
"""
QACCT = """\
==============================================================
qname        all.q
hostname     node1
jobname      parsl
jobnumber    5
failed       {failed}
deleted_by   {deleted_by}
exit_status  {exit_status}
"""
NO_JOB = "Following jobs do not exist or permissions are not sufficient: \n5\n"
DOWN = (
    "error: commlib error: got select error (Connection refused)\nerror: unable to send message to qmaster\n"
)


def result(stdout="", stderr="", exit_code=0):
    return CommandResult(("qstat",), exit_code, stdout, stderr, False)


def test_qstat():
    answer = Qstat().read(result(QSTAT))
    assert [(one.job_id, one.state.name) for one in answer.records.values()] == [
        ("1", "RUNNING"), ("2", "PENDING"), ("3", "HELD"),
    ]  # fmt: skip
    assert Qstat().read(result()).kind is AnswerKind.USABLE, "no user has a job"
    assert Qstat().read(result("garbage\n")).kind is AnswerKind.UNUSABLE
    assert Qstat().read(result("", DOWN, 1)).kind is AnswerKind.UNREACHABLE


@pytest.mark.parametrize(
    ("letters", "state"),
    [("qw", "PENDING"), ("hqw", "HELD"), ("Eqw", "HELD"), ("r", "RUNNING"), ("t", "RUNNING"),
     ("Rr", "RUNNING"),
     ("dr", "RUNNING"), ("s", "RUNNING"), ("T", "RUNNING"), ("Rq", "PENDING"), ("z", "UNKNOWN"),
     ("xyz", "UNKNOWN")],
)  # fmt: skip
def test_letters(letters, state):
    assert meaning(letters)[0].name == state


@pytest.mark.parametrize(
    ("failed", "deleted_by", "exit_status", "state", "exit_code"),
    [
        ("0", "NONE", "0", JobState.COMPLETED, 0),
        ("0", "NONE", "3", JobState.FAILED, 3),
        ("37  : qmaster enforced h_rt, h_cpu, or h_vmem limit", "NONE", "137", JobState.TIMEOUT, 137),
        ("100 : assumedly after job", "sci@login", "137", JobState.CANCELLED, 137),
        ("100 : assumedly after job", "NONE", "137 (Killed)", JobState.FAILED, 137),
        ("26  : opening input/output file", "NONE", "0", JobState.FAILED, 0),
    ],
)
def test_qacct(failed, deleted_by, exit_status, state, exit_code):
    stdout = QACCT.format(failed=failed, deleted_by=deleted_by, exit_status=exit_status)
    (record,) = Qacct().read(result(stdout)).records.values()
    assert (record.job_id, record.state, record.exit_code) == ("5", state, exit_code)


def test_the_last_accounting_record_of_a_rerun_job_counts():
    first = QACCT.format(failed="100", deleted_by="NONE", exit_status="137")
    stdout = first + QACCT.format(failed="0", deleted_by="NONE", exit_status="0")
    assert Qacct().read(result(stdout)).records["5"].state is JobState.COMPLETED
    assert Qacct().read(result("", "error: job id 5 not found\n", 1)).kind is AnswerKind.UNUSABLE


def test_details():
    assert QstatDetails().read(result("", NO_JOB, 1)).unknown == {"5"}
    held = QstatDetails().read(result("job_number:    3\nerror reason    1:  11/23/2026 can't chdir to /x\n"))
    assert (held.records["3"].state, held.records["3"].message) == (
        JobState.HELD,
        "11/23/2026 can't chdir to /x",
    )
    assert QstatDetails().read(result("", DOWN, 1)).kind is AnswerKind.UNREACHABLE


VERIFIED = """\
verification: found suitable queue(s)
Job 2 (-l mem_total=1000T) cannot run at host "g1" because it offers only hl:mem_total=23.540G
Job 2 (-l mem_total=1000T) cannot run at host "g2" because it offers only hl:mem_total=23.540G
verification: no suitable queues
verification: job is already running or is held
Job 4 cannot run in PE "nodes" because it only offers 2 slots
verification: no suitable queues
denied: job "5" does not exist
"""


def test_a_job_that_no_queue_accepts_can_never_run():
    records = Qalter().read(result(VERIFIED, exit_code=1)).records
    assert {job_id: (one.state, one.can_never_run) for job_id, one in records.items()} == {
        "2": (JobState.HELD, True),
        "4": (JobState.HELD, True),
    }
    assert records["4"].message == (
        'no suitable queues: cannot run in PE "nodes" because it only offers 2 slots'
    )
    assert 'cannot run at host "g1"' in records["2"].message
    assert Qalter().read(result("", DOWN, 1)).kind is AnswerKind.UNREACHABLE


def test_a_verdict_with_no_job_or_several_jobs_is_ignored():
    assert Qalter().read(result("verification: no suitable queues\n", exit_code=1)).records == {}
    cut = VERIFIED.replace("verification: no suitable queues\n", "", 1)
    assert set(Qalter().read(result(cut)).records) == {"4"}
    assert Qalter().read(result(VERIFIED[:-80])).records.keys() == {"2"}


def test_queued_jobs_are_verified_with_one_command():
    queries = []

    def run(command):
        queries.append(" ".join(command))
        waiting = QSTAT.replace("Eqw", "qw ")
        stdout = {"qstat": waiting, "qalter": VERIFIED}[command[0]]
        return CommandResult(tuple(command), 0, stdout, "", False)

    findings = StatusCollector(DIALECT).collect(run, ["1", "2", "3"], DIALECT.batch_size)
    assert queries == ["qstat", "qalter -w v 2,3"]
    assert [findings.records[job_id].state.name for job_id in "123"] == ["RUNNING", "HELD", "PENDING"]


def test_empty_details_change_nothing():
    def run(command):
        stdout = "job_number:    3\n" if "-j" in command else QSTAT.replace("Eqw", "hqw")
        return CommandResult(tuple(command), 0, stdout, "", False)

    findings = StatusCollector(DIALECT).collect(run, ["3"], DIALECT.batch_size)
    assert (findings.records["3"].state, findings.records["3"].message) == (JobState.HELD, "held")


@settings(deadline=None)
@given(st.text(), st.text(), st.integers(-64, 255))
def test_malformed_output_ends_no_job(stdout, stderr, exit_code):
    for query in (Qstat(), Qacct(), QstatDetails(), Qalter()):
        records = query.read(result(stdout, stderr, exit_code)).records.values()
        assert not TERMINAL_STATES & {record.state for record in records}


def test_an_unlisted_job_is_looked_up_in_the_accounting():
    queries = []

    def run(command):
        queries.append(" ".join(command))
        stdout = {"qstat": QSTAT, "qacct": QACCT.format(failed="0", deleted_by="NONE", exit_status="3")}
        return CommandResult(tuple(command), 0, stdout[command[0]], "", False)

    findings = StatusCollector(DIALECT).collect(run, ["1", "5"], DIALECT.batch_size)
    assert findings.records["5"].exit_code == 3
    assert queries == ["qstat", "qacct -j 5"]


@pytest.mark.parametrize(
    ("stdout", "job_id"),
    [
        ("12\n", "12"),
        ("warning: something\n12.1-4:1\n", "12"),
        ('Your job 12 ("x") has been submitted\n', "12"),
        ("Unable to run job\n", None),
    ],
)
def test_job_id(stdout, job_id):
    assert DIALECT.read_job_id(stdout) == job_id


@pytest.mark.parametrize(
    ("stderr", "is_permanent"),
    [
        ('Unable to run job: Job was rejected because job requests unknown queue "q".', True),
        ("Unable to run job: unknown resource \"x\".", True),
        ('Unable to run job: job rejected: the requested parallel environment "x" does not exist.', True),
        ("error: commlib error: can't connect to service (Connection refused)", False),
        ("Unable to run job: job rejected: Only 1 jobs are allowed per user (current job count: 1)", False),
    ],
)  # fmt: skip
def test_refusals(stderr, is_permanent):
    assert DIALECT.is_permanent_refusal(result("", stderr, 1)) == is_permanent


def test_cancel():
    assert DIALECT.read_cancellation(["5"], result('denied: job "5" does not exist\n', "", 1)) == [True]
    assert DIALECT.read_cancellation(["5"], result("", DOWN, 1)) == [False]


def test_multiple_nodes_need_a_parallel_environment(caplog):
    with caplog.at_level(logging.WARNING):
        GridEngineProvider(nodes_per_block=2, scheduler_options="#$ -pe mpi 64")
        assert not caplog.records
        GridEngineProvider(nodes_per_block=2)
    assert "name no parallel environment" in caplog.text
