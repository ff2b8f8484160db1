"""The number of workers on a node, and what the user hears about it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsl.errors import ConfigurationError
from parsl.executors.high_throughput.node.facts import NodeFacts
from parsl.executors.high_throughput.node.worker_count import (
    PlacementRequest,
    count_workers,
    stated_workers,
)

TWELVE = tuple(map(str, range(12)))
#: A node of 208 CPUs and 512 GB, of which a control group allows the job 2 CPUs or 8 GB.
FEW_CPUS = NodeFacts(memory_gb=512, cpus=(0, 1), bindable_cpus=(0, 1), total_cpus=208, total_memory_gb=512)
LITTLE_MEMORY = NodeFacts(memory_gb=8, cpus=tuple(range(208)), total_cpus=208, total_memory_gb=512)
#: A node of 64 CPUs, of whose time a container gets that of 2.
LITTLE_CPU_TIME = NodeFacts(
    memory_gb=16, cpus=tuple(range(64)), bindable_cpus=tuple(range(64)), cpu_quota=2, total_cpus=64
)
#: A node whose manager a launcher has bound to some CPUs, and one whose driver the user has bound.
BOUND_BY_LAUNCHER = NodeFacts(
    memory_gb=512,
    cpus=tuple(range(208)),
    bindable_cpus=tuple(range(208)),
    is_bound_by_launcher=True,
    total_cpus=208,
)
BOUND_BY_USER = NodeFacts(memory_gb=16, cpus=(3,), bindable_cpus=(0, 1, 2, 3), total_cpus=4)


def test_workers_with_accelerators_are_counted_by_accelerators():
    request = PlacementRequest(max_workers_per_node=12, available_accelerators=TWELVE)
    assert count_workers(request, NodeFacts(memory_gb=16, cpus=(0, 1))) == (12, "")
    assert count_workers(request._replace(cores_per_worker=16), FEW_CPUS).workers == 12
    assert count_workers(request._replace(max_workers_per_node=None), FEW_CPUS).workers == 12


def test_workers_that_share_too_few_cpus_cause_a_notice():
    request = PlacementRequest(available_accelerators=TWELVE, cores_per_worker=8)
    notice = count_workers(request, FEW_CPUS).notice
    assert "12 workers share 2 CPUs, because the system (a cgroup" in notice
    assert "2 of the node's 208 CPUs (0-1)" in notice
    assert "--cpus-per-task=96" in notice


def test_a_launchers_binding_does_not_count():
    request = PlacementRequest(max_workers_per_node=12)
    assert count_workers(request, BOUND_BY_LAUNCHER) == (12, "")
    assert count_workers(PlacementRequest(), BOUND_BY_LAUNCHER) == (208, "")


def test_a_control_group_limits_workers_without_accelerators_and_the_user_hears_how_and_why():
    workers, notice = count_workers(PlacementRequest(max_workers_per_node=12), FEW_CPUS)
    assert workers == 2
    assert notice.startswith("12 workers are requested (max_workers_per_node=12), but 2 run: ")
    assert "cores_per_worker=1 on 2 cores" in notice
    assert "the system (a cgroup, as schedulers and containers use) allows the job 2 of" in notice
    assert "--cpus-per-task=12" in notice
    assert "write cores_per_worker=0.166." in notice


def test_a_quota_of_cpu_time_limits_workers_and_the_user_hears_how_and_why():
    assert count_workers(PlacementRequest(), LITTLE_CPU_TIME) == (2, "")
    workers, notice = count_workers(PlacementRequest(max_workers_per_node=12), LITTLE_CPU_TIME)
    assert workers == 2
    assert notice == (
        "12 workers are requested (max_workers_per_node=12), but 2 run: cores_per_worker=1 on 2 cores, "
        "because the system (a cgroup, as containers use) limits the job's CPU time to that of 2 of the "
        "node's 64 CPUs. Raise the quota to 12 CPUs (docker run --cpus, or resources.limits.cpu of a "
        "Kubernetes container); or write cores_per_worker=0.166."
    )


def test_a_quota_that_allows_all_cpus_changes_nothing():
    request = PlacementRequest(max_workers_per_node=128)
    without = LITTLE_CPU_TIME._replace(cpu_quota=None)
    assert count_workers(request, LITTLE_CPU_TIME._replace(cpu_quota=64)) == count_workers(request, without)


def test_a_stated_number_of_cores_counts_more_than_a_quota():
    found = count_workers(PlacementRequest(), LITTLE_CPU_TIME._replace(cores=8))
    assert found.workers == 8
    assert found.notice.startswith("8 workers share 2 CPUs, because the system")


def test_workers_with_accelerators_that_share_a_small_quota_cause_a_notice():
    found = count_workers(PlacementRequest(available_accelerators=TWELVE), LITTLE_CPU_TIME)
    assert found.workers == 12
    assert "12 workers share 2 CPUs, because the system (a cgroup, as containers use)" in found.notice
    assert "Raise the quota to 12 CPUs" in found.notice


def test_the_users_own_binding_limits_what_fits_but_not_an_explicit_number():
    assert count_workers(PlacementRequest(), BOUND_BY_USER) == (1, "")
    workers, notice = count_workers(PlacementRequest(max_workers_per_node=3), BOUND_BY_USER)
    assert workers == 3
    assert "3 workers share 1 CPU, because the manager is bound to 3 of the CPUs 0-3" in notice
    assert "write max_workers_per_node=1" in notice


@pytest.mark.parametrize("accelerators", [(), TWELVE])
def test_memory_limits_all_workers(accelerators):
    request = PlacementRequest(
        max_workers_per_node=12, mem_per_worker_gb=2, available_accelerators=accelerators
    )
    workers, notice = count_workers(request, LITTLE_MEMORY)
    assert workers == 4
    assert "mem_per_worker=2 on 8.0 GB of memory, because the system (a cgroup" in notice
    assert "8.0 of the node's 512.0 GB" in notice
    assert "write mem_per_worker=0.666." in notice


@pytest.mark.parametrize(
    ("request_", "node", "workers", "words"),
    [
        (
            PlacementRequest(max_workers_per_node=12),
            NodeFacts(16, (0, 1)),
            2,
            "Write cores_per_worker=0.166.",
        ),
        (
            PlacementRequest(max_workers_per_node=12),
            NodeFacts(16, (0, 1), cores=4),
            4,
            "PARSL_CORES states that number",
        ),
        (
            PlacementRequest(max_workers_per_node=8, available_accelerators=("0", "1")),
            NodeFacts(16, (0,)),
            2,
            "there are 2 available_accelerators. Name an accelerator several times",
        ),
        (
            PlacementRequest(max_workers_per_node=3, cpu_affinity="list:0:1"),
            NodeFacts(16, tuple(range(8))),
            2,
            "cpu_affinity lists the CPUs of 2.",
        ),
        (
            PlacementRequest(cpu_affinity="list:0:1:2"),
            NodeFacts(16, (0, 1)),
            2,
            "3 workers are requested (one for each list of CPUs in cpu_affinity)",
        ),
        (
            PlacementRequest(node_cpus=208),
            FEW_CPUS,
            2,
            "208 workers are requested (the provider's 208 CPUs per node)",
        ),
    ],
)
def test_fewer_workers_than_requested_cause_a_notice(request_, node, workers, words):
    found = count_workers(request_, node)
    assert found.workers == workers
    assert words in found.notice


def test_as_many_workers_as_fit_cause_no_notice():
    assert count_workers(PlacementRequest(), FEW_CPUS) == (2, "")
    assert count_workers(PlacementRequest(mem_per_worker_gb=2), LITTLE_MEMORY) == (4, "")
    request = PlacementRequest(node_cpus=8, mem_per_worker_gb=2)
    assert count_workers(request, NodeFacts(memory_gb=6, cpus=tuple(range(8)))) == (3, "")


def test_the_error_for_no_worker_names_the_limit_and_its_reason():
    with pytest.raises(ConfigurationError, match=r"cores_per_worker=3 on 2 cores .* 2 of the node's 208"):
        count_workers(PlacementRequest(cores_per_worker=3), FEW_CPUS)
    with pytest.raises(ConfigurationError, match=r"mem_per_worker=300 on 8\.0 GB .* 512\.0 GB"):
        count_workers(PlacementRequest(mem_per_worker_gb=300), LITTLE_MEMORY)


@given(st.integers(1, 300), st.integers(2, 400), st.floats(0.01, 16), st.none() | st.integers(1, 300))
def test_the_advice_works(cpus, requested, cores_per_worker, quota):
    request = PlacementRequest(cores_per_worker=cores_per_worker, max_workers_per_node=requested)
    node = NodeFacts(memory_gb=16, cpus=tuple(range(cpus)), cpu_quota=quota)
    try:
        notice = count_workers(request, node).notice
    except ConfigurationError:
        return
    if notice:
        smaller = float(notice.rpartition("cores_per_worker=")[2].removesuffix("."))
        assert count_workers(request._replace(cores_per_worker=smaller), node) == (requested, "")


@pytest.mark.parametrize(
    ("request_", "memory_gb", "workers"),
    [
        (PlacementRequest(), None, None),
        (PlacementRequest(mem_per_worker_gb=2), 64, None),
        (PlacementRequest(max_workers_per_node=4), None, 4),
        (PlacementRequest(node_cpus=128, cores_per_worker=4), None, 32),
        (PlacementRequest(node_cpus=8, max_workers_per_node=12), None, 8),
        (PlacementRequest(node_cpus=8, cores_per_worker=16), None, 1),
        (PlacementRequest(node_cpus=2, available_accelerators=TWELVE), None, 12),
        (PlacementRequest(available_accelerators=TWELVE, max_workers_per_node=6), None, 6),
        (PlacementRequest(max_workers_per_node=8, mem_per_worker_gb=16), 64, 4),
        (PlacementRequest(cpu_affinity="list:0:1:2", max_workers_per_node=8), None, 3),
    ],
)
def test_parameters_may_determine_the_number_without_a_node(request_, memory_gb, workers):
    assert stated_workers(request_, memory_gb) == workers
