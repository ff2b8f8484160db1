"""The recorded output of Slurm (version 22.05)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsl.common.commands import CommandResult
from parsl.executors.blocks.views import KnownJob
from parsl.executors.high_throughput.driver.failures import JobEnd
from parsl.jobs.states import TERMINAL_STATES, JobState, JobStatus
from parsl.providers import SlurmProvider
from parsl.providers.batch.answers import AnswerKind
from parsl.providers.batch.status_collector import StatusCollector
from parsl.providers.slurm.slurm import STATES, Sacct, Scontrol, Squeue, make_record
from parsl.validate import ParameterError

DIALECT = SlurmProvider().dialect

SQUEUE = """\
2|FAILED|NonZeroExitCode
3|FAILED|JobLaunchFailure
4|PENDING|Resources
6|PENDING|BeginTime
7|PENDING|DependencyNeverSatisfied
5|PENDING|JobHeldUser
8|CANCELLED|None
9|TIMEOUT|TimeLimit
10|COMPLETED|None
1|RUNNING|None
"""
SCONTROL = """\
JobId=2 JobName=f.sh UserId=root(0) Priority=4294901758 Nice=0 Account=(null) QOS=(null) JobState=FAILED \
Reason=NonZeroExitCode Dependency=(null) Requeue=0 Restarts=0 BatchFlag=1 Reboot=0 ExitCode=3:0 \
RunTime=00:00:00 TimeLimit=01:00:00 StdErr=/x/slurm-2.out
"""
DOWN = "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n"
FROZEN = "slurm_load_jobs error: Socket timed out on send/recv operation\n"
NOT_KNOWN = "slurm_load_jobs error: Invalid job id specified\n"


def result(stdout="", stderr="", exit_code=0, command=("squeue", "--jobs=999"), timed_out=False):
    return CommandResult(command, exit_code, stdout, stderr, timed_out)


@pytest.mark.parametrize(
    ("reason", "state", "can_never_run"),
    [
        ("Priority", JobState.PENDING, False),
        ("ReqNodeNotAvail, May be reserved for other job", JobState.PENDING, False),
        ("JobHeldAdmin", JobState.HELD, False),
        ("PartitionTimeLimit", JobState.HELD, True),
        ("BadConstraints", JobState.HELD, True),
    ],
)
def test_a_job_that_can_never_run_is_distinguished_from_a_held_one(reason, state, can_never_run):
    record = make_record("5", "PENDING", reason)
    assert (record.state, record.can_never_run, record.message) == (state, can_never_run, reason)


def test_squeue():
    records = Squeue().read(result(SQUEUE)).records
    assert {int(job_id): record.state.name for job_id, record in records.items()} == {
        1: "RUNNING", 2: "FAILED", 3: "FAILED", 4: "PENDING", 5: "HELD", 6: "PENDING", 7: "HELD",
        8: "CANCELLED", 9: "TIMEOUT", 10: "COMPLETED",
    }  # fmt: skip
    assert records["5"].message == "JobHeldUser"
    assert records["1"].message is None
    assert (records["10"].exit_code, records["2"].exit_code) == (0, None)


@pytest.mark.parametrize(
    ("stderr", "kind"),
    [(DOWN, AnswerKind.UNREACHABLE), (FROZEN, AnswerKind.UNREACHABLE), ("?", AnswerKind.UNUSABLE)],
)
def test_a_failed_squeue_is_handled(stderr, kind):
    answer = Squeue().read(result("", stderr, 1))
    assert (answer.kind, answer.records, answer.unknown) == (kind, {}, frozenset())


def test_a_job_is_unknown_only_if_it_was_queried_alone():
    assert Squeue().read(result("", NOT_KNOWN, 1)).unknown == {"999"}
    assert Squeue().read(result("", NOT_KNOWN, 1, ("squeue", "--jobs=998,999"))).unknown == frozenset()
    assert Squeue().read(result()).unknown == frozenset()


def test_scontrol_has_the_exit_code():
    (record,) = Scontrol().read(result(SCONTROL)).records.values()
    assert (record.state, record.exit_code, record.message) == (JobState.FAILED, 3, "NonZeroExitCode")
    (record,) = Scontrol().read(result(SCONTROL.replace("3:0", "0:9"))).records.values()
    assert record.exit_code == 137
    assert Scontrol().read(result("", NOT_KNOWN, 1)).kind is AnswerKind.UNUSABLE


def test_sacct():
    stdout = "2|FAILED|3:0|\n3|CANCELLED by 1002|0:15|\n4|TIMEOUT|0:0|\n5|RUNNING|0:0|\n"
    records = Sacct().read(result(stdout)).records
    assert [(record.state.name, record.exit_code) for record in records.values()] == [
        ("FAILED", 3), ("CANCELLED", 143), ("TIMEOUT", 0), ("RUNNING", None),
    ]  # fmt: skip
    assert records["3"].message == "by 1002"
    assert Sacct().read(result("", "Slurm accounting storage is disabled\n", 1)).kind is AnswerKind.UNUSABLE


@pytest.mark.parametrize("name", STATES)
def test_every_state_of_slurm_has_a_meaning(name):
    assert make_record("1", name, "").state is STATES[name]


def test_a_preempted_job_was_ended_from_outside():
    record = make_record("1", "PREEMPTED", "None")
    assert (record.state, record.message) == (JobState.CANCELLED, "PREEMPTED")
    status = JobStatus(record.state, record.message)
    assert JobEnd.of(KnownJob("1", status, True, 0.0)).is_from_outside


@settings(deadline=None)
@given(st.text(), st.text(), st.integers(-64, 255), st.booleans())
def test_malformed_output_ends_no_job(stdout, stderr, exit_code, timed_out):
    for query in (Squeue(), Scontrol(), Sacct()):
        answer = query.read(result(stdout, stderr, exit_code, timed_out=timed_out))
        assert not answer.records or not TERMINAL_STATES & {one.state for one in answer.records.values()}


def collect(answers, job_ids):
    """Query jobs; the first words of each command select its output."""
    queries = []

    def run(command):
        line = " ".join(
            word for word in command if not word.startswith(("--format", "--noheader", "--states"))
        )
        queries.append(line)
        stdout, stderr, exit_code = next(
            answer for start, answer in answers.items() if line.startswith(start)
        )
        return CommandResult(tuple(command), exit_code, stdout, stderr, False)

    return StatusCollector(DIALECT).collect(run, job_ids, 50), queries


def test_a_forgotten_job_among_others():
    findings, queries = collect(
        {
            "squeue --jobs=1,2": ("1|RUNNING|None\n", "", 0),
            "squeue --jobs=2": ("", NOT_KNOWN, 1),
            "sacct": ("", "Slurm accounting storage is disabled\n", 1),
        },
        ["1", "2"],
    )
    assert list(findings.records) == ["1"]
    assert findings.gone == {"2"}
    assert queries == ["squeue --jobs=1,2", "sacct -X --parsable --jobs=2", "squeue --jobs=2"]


def test_a_forgotten_job_is_found_in_the_accounting():
    findings, _ = collect(
        {"squeue": ("", NOT_KNOWN, 1), "sacct": ("2|TIMEOUT|0:0|\n", "", 0)},
        ["2"],
    )
    assert findings.records["2"].state is JobState.TIMEOUT


def test_an_unreachable_accounting_delays_nothing():
    findings, _ = collect(
        {"squeue": ("", NOT_KNOWN, 1), "sacct": ("", "sacct: error: slurm_persist_conn_open: failed\n", 1)},
        ["2"],
    )
    assert findings.gone == {"2"}


def test_the_exit_codes_of_failed_jobs_are_queried():
    findings, queries = collect(
        {"squeue": ("2|FAILED|NonZeroExitCode\n", "", 0), "scontrol": (SCONTROL, "", 0)}, ["2"]
    )
    assert findings.records["2"].exit_code == 3
    assert queries == ["squeue --jobs=2", "scontrol -o show job 2"]


def test_a_failed_job_without_an_exit_code_counts_as_failed():
    findings, _ = collect({"squeue": ("2|FAILED|NonZeroExitCode\n", "", 0), "scontrol": ("", DOWN, 1)}, ["2"])
    assert findings.records["2"].state is JobState.FAILED


def test_clusters_are_named_in_every_command():
    dialect = SlurmProvider(clusters="c1").dialect
    commands = [dialect.cancel_command(["1;c1", "2"])]
    queries = [*dialect.status_queries, dialect.history_query, dialect.detail_query]
    commands += [query.command(["1;c1", "2"]) for query in queries]
    assert all("--clusters=c1" in command for command in commands)
    assert all("1;c1" not in " ".join(command) for command in commands)


@pytest.mark.parametrize(
    ("stdout", "job_id"),
    [
        ("Submitted batch job 77\n", "77"),
        ("sbatch: a word from the site\nSubmitted batch job 77 on cluster c1\n", "77"),
        ("", None),
        ("Submitted batch job \n", None),
    ],
)
def test_job_id(stdout, job_id):
    assert DIALECT.read_job_id(stdout) == job_id


def test_job_id_in_a_sites_own_wording():
    provider = SlurmProvider(regex_job_id=r"^(?P<id>\d+)$")
    assert provider.dialect.read_job_id("welcome\n12\n") == "12"


REFUSED_FOR_GOOD = [
    "sbatch: error: invalid partition specified: nosuch",
    "sbatch: error: Batch job submission failed: Requested time limit is invalid (missing or exceeds ...)",
    "sbatch: error: Invalid --time specification",
    "sbatch: error: Batch job submission failed: Node count specification invalid",
    "sbatch: error: Batch job submission failed: Invalid feature specification",
    "sbatch: error: Invalid generic resource (gres) specification",
    "sbatch: invalid option -- 'Z'",
    "sbatch: error: Unable to open file nosuch.sh",
    "sbatch: error: Batch job submission failed: Requested node configuration is not available",
    "sbatch: error: Batch job submission failed: More processors requested than permitted",
    "sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified",
    "sbatch: error: Batch job submission failed: Invalid qos specification",
]
REFUSED_FOR_NOW = [
    "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)",
    "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
    "sbatch: error: Batch job submission failed: Protocol authentication error",
    "sbatch: error: Problem talking to database\nsbatch: error: 'x' can't be reached now",
    "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, ...)",
]


@pytest.mark.parametrize("stderr", REFUSED_FOR_GOOD + REFUSED_FOR_NOW)
def test_refusals(stderr):
    assert DIALECT.is_permanent_refusal(result("", stderr, 1)) == (stderr in REFUSED_FOR_GOOD)


@pytest.mark.parametrize(
    ("stderr", "exit_code", "answers"),
    [
        ("", 0, [True, True]),
        (f"scancel: error: Kill job error on job id 1: {DOWN}", 8, [False, False]),
        ("scancel: error: Kill job error on job id 1: Invalid job id specified\n", 1, [True, True]),
        ("scancel: error: Invalid job id foo\n", 1, [False, False]),
    ],
)
def test_cancel(stderr, exit_code, answers):
    assert DIALECT.read_cancellation(["1", "2"], result("", stderr, exit_code)) == answers


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"partition": ""}, "partition is ''"),
        ({"qos": "a b"}, "qos is 'a b'"),
        ({"constraint": " "}, "constraint is ' '"),
        ({"regex_job_id": r"(\d+"}, "group named id"),
        ({"regex_job_id": r"(\d+)"}, "group named id"),
        ({"status_batch_size": 0}, "status_batch_size is 0"),
        ({"mem_per_node": 0}, "mem_per_node is 0"),
        ({"exclusive": 1}, "exclusive is 1"),
        ({"walltime": "UNLIMITED"}, "walltime is 'UNLIMITED'"),
    ],
)
def test_wrong_parameters(options, message):
    with pytest.raises(ParameterError, match=message):
        SlurmProvider(**options)
