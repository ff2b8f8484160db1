"""Reading what schedulers say about queues."""

import pytest

from parsl.cli.checkup.queue_limits import QueueLimits, compare, parse_qstat, parse_scontrol, parse_time

PBS = """Queue: prod
    queue_type = Route
    enabled = True
    started = True

Queue: debug
    queue_type = Execution
    comment = a long one that is
\tfolded
    resources_max.nodect = 2
    resources_max.walltime = 01:00:00
    resources_min.walltime = 00:05:00
    enabled = False
    started = True
"""
SLURM = (
    "PartitionName=debug Default=YES MaxNodes=UNLIMITED MaxTime=UNLIMITED MinNodes=0 State=UP\n"
    "PartitionName=big Default=NO MaxNodes=100 MaxTime=2-00:00:00 MinNodes=10 State=DRAIN TotalNodes=120\n"
    "PartitionName=short Default=NO MaxNodes=4 MaxTime=30:00 State=UP\n"
)


def test_the_queue_that_is_meant_is_read():
    assert parse_qstat(PBS, "debug") == QueueLimits("debug", 3600, 300, 2, closed="not enabled")
    assert parse_qstat(PBS, "prod") == QueueLimits("prod")
    assert parse_qstat(PBS, "bug") is None
    assert parse_qstat("", "debug") is None


def test_the_partition_that_is_meant_is_read():
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
