"""The limits of control groups, read from a copy of the files that Linux shows."""

import math
from pathlib import Path

import pytest

from parsl.executors.high_throughput.node.control_groups import cpu_limit, memory_limit_bytes

GIB = 2**30


@pytest.fixture
def machine(tmp_path):
    """Make the directory of a process, given its groups, the mounts of hierarchies and limits by group."""

    def make(cgroup: str, mounts: list[tuple[str, str, str]], limits: dict[str, str]) -> Path:
        lines = [
            f"31 23 0:{number} {root} {tmp_path}/{point} rw,relatime - {kind} none rw,memory,cpu,cpuacct"
            for number, (kind, root, point) in enumerate(mounts)
        ]
        (tmp_path / "mountinfo").write_text("30 1 0:1 / / rw - ext4 /dev/sda rw\n" + "\n".join(lines) + "\n")
        (tmp_path / "cgroup").write_text(cgroup)
        for file, text in limits.items():
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_text(text)
        return tmp_path

    return make


def test_version_2_limits_by_the_lowest_of_all_groups_around_the_process(machine):
    limits = {
        "sys/job/memory.max": f"{8 * GIB}\n",
        "sys/job/step/memory.max": "max\n",
        "sys/memory.max": f"{64 * GIB}\n",
    }
    process = machine("0::/job/step\n", [("cgroup2", "/", "sys")], limits)
    assert memory_limit_bytes(process) == 8 * GIB


def test_version_1_has_a_hierarchy_of_its_own_for_memory(machine):
    limits = {
        "mem/slurm/job_7/memory.limit_in_bytes": str(4 * GIB),
        "mem/slurm/memory.limit_in_bytes": "9223372036854771712",
    }
    cgroup = "4:memory:/slurm/job_7\n3:cpuset:/other\n0::/\n"
    process = machine(cgroup, [("cgroup", "/", "mem"), ("cgroup2", "/", "unified")], limits)
    assert memory_limit_bytes(process) == 4 * GIB


def test_a_container_sees_its_own_group_at_the_mount_point(machine):
    process = machine("4:memory:/docker/abc\n", [("cgroup", "/docker/abc", "mem")], {})
    assert memory_limit_bytes(process) == math.inf
    (process / "mem").mkdir()
    (process / "mem/memory.limit_in_bytes").write_text(str(GIB))
    assert memory_limit_bytes(process) == GIB


@pytest.mark.parametrize("text", ["max\n", "9223372036854771712\n", "", "-1", "much"])
def test_a_group_without_a_limit_does_not_count(machine, text):
    process = machine("0::/job\n", [("cgroup2", "/", "sys")], {"sys/job/memory.max": text})
    assert memory_limit_bytes(process) == math.inf


def test_version_2_has_quotas_of_cpu_time(machine):
    limits = {
        "sys/pod/cpu.max": "400000 100000\n",
        "sys/pod/box/cpu.max": "75000 50000\n",
        "sys/cpu.max": "max 1\n",
    }
    process = machine("0::/pod/box\n", [("cgroup2", "/", "sys")], limits)
    assert cpu_limit(process) == 1.5
    assert memory_limit_bytes(process) == math.inf


def test_version_1_has_quotas_of_cpu_time(machine):
    limits = {"cpu/box/cpu.cfs_quota_us": "200000", "cpu/box/cpu.cfs_period_us": "100000"}
    process = machine("2:cpu,cpuacct:/box\n", [("cgroup", "/", "cpu")], limits)
    assert cpu_limit(process) == 2


@pytest.mark.parametrize("text", ["max 100000", "max", "", "0 0", "1 2 3", "-1 100000"])
def test_a_group_without_a_quota_does_not_count(machine, text):
    process = machine("0::/job\n", [("cgroup2", "/", "sys")], {"sys/job/cpu.max": text})
    assert cpu_limit(process) == math.inf


def test_version_1_marks_a_group_without_a_quota_with_a_negative_number(machine):
    limits = {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}
    assert cpu_limit(machine("2:cpu:/\n", [("cgroup", "/", "cpu")], limits)) == math.inf


def test_without_control_groups_there_is_no_limit(tmp_path):
    assert memory_limit_bytes(tmp_path / "nothing") == cpu_limit(tmp_path / "nothing") == math.inf


def test_this_machine_is_read():
    assert memory_limit_bytes() > 0
    assert cpu_limit() > 0
