"""Reading the schedulers' reports about queues."""

import shlex

import pytest

from parsl.cli.checkup.queue_limits import (
    QueueLimits,
    compare,
    compare_jobs,
    parse_qstat,
    parse_scontrol,
    parse_time,
)
from parsl.common.commands import run_command
from tests.cli.conftest import of_level

PBS = """Queue: prod
    queue_type = Route
    route_destinations = small,
\tlarge
    enabled = True
    started = True

Queue: debug
    queue_type = Execution
    comment = a long one that is
\tfolded
    resources_max.nodect = 2
    resources_max.walltime = 01:00:00
    resources_min.walltime = 00:05:00
    max_run = [u:PBS_GENERIC=1]
    max_queued = [p:PBS_ALL=99],[u:PBS_GENERIC=3]
    enabled = False
    started = True
"""
SLURM = (
    "PartitionName=debug Default=YES MaxNodes=UNLIMITED MaxTime=UNLIMITED MinNodes=0 State=UP\n"
    "PartitionName=big Default=NO MaxNodes=100 MaxTime=2-00:00:00 MinNodes=10 State=DRAIN TotalNodes=120\n"
    "PartitionName=short Default=NO MaxNodes=4 MaxTime=30:00 State=UP\n"
)


def test_the_requested_queue_is_read():
    assert parse_qstat(PBS, "debug") == QueueLimits(
        "debug", 3600, 300, 2, closed="not enabled", max_running=1, max_queued=3
    )
    assert parse_qstat(PBS, "prod") == QueueLimits("prod", destinations=("small", "large"))
    assert parse_qstat(PBS, "bug") is None
    assert parse_qstat("", "debug") is None


def test_the_requested_partition_is_read():
    assert parse_scontrol(SLURM, "big") == QueueLimits("big", 172800, None, 100, 10, "DRAIN")
    assert parse_scontrol(SLURM, "short") == QueueLimits("short", 1800, None, 4)
    assert parse_scontrol(SLURM, None) == QueueLimits("debug", None, None, None, 0)
    small = SLURM.replace("MaxNodes=UNLIMITED", "MaxNodes=UNLIMITED TotalNodes=4")
    assert parse_scontrol(small, "debug") == QueueLimits("debug", None, None, 4, 0)
    assert parse_scontrol("slurm_load_partitions error", "big") is None


@pytest.mark.parametrize("text", [None, "", "UNLIMITED", "NONE", "0"])
def test_no_limit_is_none(text):
    assert parse_time(text) is None


def test_both_ends_are_compared():
    limits = QueueLimits("q", 100, 10, 4, 2)
    assert [finding.level for finding in compare(limits, 50, 3)] == ["ok"]
    assert [finding.level for finding in compare(limits, 101, 5)] == ["error", "error"]
    assert [finding.level for finding in compare(limits, 9, 1)] == ["error", "error"]


def test_jobs_of_a_user_are_counted():
    limits = QueueLimits("q", max_running=1, max_queued=2)
    assert compare_jobs(limits, 1) == []
    assert [finding.level for finding in compare_jobs(limits, 2)] == ["note"]
    assert [finding.level for finding in compare_jobs(limits, 3)] == ["warning"]
    assert compare_jobs(QueueLimits("q"), 99) == []


QUEUE = """Queue: debug
    queue_type = Execution
    total_jobs = 0
    state_count = Transit:0 Queued:0 Held:0 Waiting:0 Running:0 Exiting:0 Begun
\t:0
    resources_max.nodect = 2
    resources_max.walltime = 01:00:00
    enabled = True
    started = {started}
"""


@pytest.mark.parametrize(
    ("options", "started", "level", "words"),
    [
        ("nodes_per_block=2, walltime='1:00:00'", "True", "ok", "allows walltime and nodes"),
        ("nodes_per_block=3", "True", "error", "nodes_per_block is 3, but debug allows at most 2"),
        ("walltime='1:00:01'", "True", "error", "walltime is 01:00:01, but debug allows at most 01:00:00"),
        ("nodes_per_block=1", "False", "warning", "debug is not started now"),
    ],
)
def test_requests_that_a_queue_does_not_allow_are_found(
    doctor, add_command, home, options, started, level, words
):
    add_command("qsub", "echo pbs_version = 23.06.06")
    add_command("qdel", "")
    add_command("qstat", f"cat <<'END'\n{QUEUE.format(started=started)}END")
    found = doctor.check(
        f"p = PBSProProvider(queue='debug', launcher=MpiExecLauncher(), {options})\n"
        "c = Config([HighThroughputExecutor(provider=p)], retries=1)"
    )
    [text] = [text for topic, text in of_level(found, level) if topic == "queue"]
    assert words in text


ROUTE = """case $2 in
prod) echo "Queue: prod"; echo "    queue_type = Route"; echo "    route_destinations = small,large";;
small) printf 'Queue: small\\n    resources_max.nodect = 8\\n\\n'
       printf 'Queue: large\\n    resources_min.nodect = 100\\n    max_run = [u:PBS_GENERIC=1]\\n';;
esac"""


@pytest.mark.parametrize(
    ("nodes", "level", "words"),
    [
        (8, "ok", "passes such a job on to small"),
        (100, "ok", "passes such a job on to large"),
        (
            50,
            "error",
            "allows this. nodes_per_block is 50, but small allows at most 8. nodes_per_block is 50, but",
        ),
        (100, "note", "large runs at most 1 of a user's jobs at once: the others wait"),
    ],
)
def test_a_routing_queue_has_the_limits_of_its_destinations(doctor, add_command, home, nodes, level, words):
    add_command("qsub", "echo pbs_version = 23.06.06")
    add_command("qdel", "")
    add_command("qstat", ROUTE)
    found = doctor.check(
        "p = PBSProProvider(queue='prod', max_blocks=2, launcher=MpiExecLauncher(), "
        f"nodes_per_block={nodes})\nc = Config([HighThroughputExecutor(provider=p)], retries=1)"
    )
    assert any(words in text for topic, text in of_level(found, level) if topic == "queue"), found


def check_routing_queue(doctor, add_command, about_destinations, attributes=()):
    """The findings about a routing queue with its own attributes, for jobs of 3 hours."""
    lines = ["Queue: prod", *(f"    {each}" for each in ["route_destinations = small", *attributes])]
    add_command("qsub", "echo pbs_version = 23.06.06")
    add_command("qdel", "")
    add_command(
        "qstat",
        f"""case $2 in
prod) printf '%s\\n' {shlex.join(lines)};;
small) {about_destinations};;
esac""",
    )
    found = doctor.check(
        "p = PBSProProvider(queue='prod', max_blocks=10, walltime='3:00:00', launcher=MpiExecLauncher())\n"
        "c = Config([HighThroughputExecutor(provider=p)], retries=1)"
    )
    return {
        level: [text.strip() for topic, text in of_level(found, level) if topic == "queue"]
        for level in ("ok", "note", "warning", "error")
    }


def test_a_routing_queues_own_limits_come_first(doctor, add_command, home):
    own = ["enabled = False", "resources_max.walltime = 01:00:00", "max_queued = [u:PBS_GENERIC=2]"]
    found = check_routing_queue(doctor, add_command, "echo Queue: small", own)
    assert found["ok"] == found["note"] == []
    assert found["error"] == ["walltime is 03:00:00, but prod allows at most 01:00:00."]
    assert [text.partition(":")[0] for text in found["warning"]] == [
        "prod is not enabled now",
        "max_blocks is 10, but prod accepts at most 2 of a user's jobs",
    ]
    found = check_routing_queue(doctor, add_command, "echo Queue: small", own[:1])
    assert [len(found[level]) for level in ("ok", "note", "warning", "error")] == [1, 0, 1, 0]


def test_a_missing_answer_about_destination_queues_is_reported(doctor, add_command, home, monkeypatch):
    def run(command, *args, **kwargs):
        result = run_command(command, *args, **kwargs)
        return result._replace(timed_out=result.timed_out or "small" in command)

    monkeypatch.setattr("parsl.common.commands.run_command", run)
    found = check_routing_queue(doctor, add_command, ":")
    assert found["warning"] == ["`qstat -Qf small` did not answer within 15 s: is the scheduler up?"]
    assert found["ok"] == found["note"] == found["error"] == []


def test_auroras_stand_in_has_the_limits_of_auroras_queues(doctor, pbs, environment):
    found = doctor.check(
        "from parsl.configs import aurora_tiles\n"
        "c = aurora_tiles('x', environment='~/_env', nodes_per_block=3, walltime='2:00:00', max_blocks=2)"
    )
    assert [text for topic, text in of_level(found, "error") if topic == "queue"] == [
        "walltime is 02:00:00, but debug allows at most 01:00:00. ",
        "nodes_per_block is 3, but debug allows at most 2. ",
    ]
    assert any("the others wait" in text for _, text in of_level(found, "note"))


def test_a_nonexistent_queue_is_found(doctor, add_command, home):
    add_command("qsub", "echo pbs_version = 23.06.06")
    add_command("qdel", "")
    add_command("qstat", "echo qstat: Unknown queue nosuch >&2; exit 170")
    found = doctor.check(
        "c = Config([HighThroughputExecutor(provider=PBSProProvider(queue='nosuch'))], retries=1)"
    )
    assert any("Unknown queue nosuch" in text for _, text in of_level(found, "error"))
