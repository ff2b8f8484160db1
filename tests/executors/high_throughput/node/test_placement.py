"""The workers of a node: their number, CPUs and accelerators, and the warnings about them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsl.errors import ConfigurationError
from parsl.executors.high_throughput.node.facts import NodeFacts
from parsl.executors.high_throughput.node.placement import plan_workers
from parsl.executors.high_throughput.node.worker_count import PlacementRequest

AURORA_LIST = (
    "list:0-7,104-111:8-15,112-119:16-23,120-127:24-31,128-135:32-39,136-143:40-47,144-151:"
    "52-59,156-163:60-67,164-171:68-75,172-179:76-83,180-187:84-91,188-195:92-99,196-203"
)
TILES = tuple(f"{gpu}.{tile}" for gpu in range(6) for tile in range(2))
AURORA = PlacementRequest(max_workers_per_node=12, available_accelerators=TILES, cpu_affinity=AURORA_LIST)
OMP_KEYS = {"OMP_NUM_THREADS", "GOMP_CPU_AFFINITY", "KMP_AFFINITY"}


def node(cpus=2, cores=None, memory_gb=16.0, **facts):
    numbers = tuple(range(cpus)) if isinstance(cpus, int) else tuple(cpus)
    return NodeFacts(cores=cores, memory_gb=memory_gb, cpus=numbers, **facts)


def count(request, on):
    return len(plan_workers(request, on).workers)


def cpus_of(affinity, on, workers):
    request = PlacementRequest(cores_per_worker=0.001, max_workers_per_node=workers, cpu_affinity=affinity)
    return [worker.cpus for worker in plan_workers(request, on).workers]


@pytest.mark.parametrize(
    ("request_", "on", "workers"),
    [
        (PlacementRequest(), node(8), 8),
        (PlacementRequest(max_workers_per_node=12), node(2), 2),
        (PlacementRequest(cores_per_worker=3), node(8), 2),
        (PlacementRequest(cores_per_worker=1 / 6, max_workers_per_node=12), node(2), 12),
        (PlacementRequest(cores_per_worker=0.1), node(3), 30),
        (PlacementRequest(mem_per_worker_gb=4), node(16, memory_gb=21), 5),
        (PlacementRequest(available_accelerators=("0", "1")), node(8), 2),
        (PlacementRequest(available_accelerators=("0,1", "2,3"), max_workers_per_node=1), node(8), 1),
        (AURORA, node(208), 12),
        (AURORA, node(2), 12),
    ],
)
def test_the_tightest_limit_decides(request_, on, workers):
    assert count(request_, on) == workers


def test_the_error_for_a_small_node_names_the_limit():
    with pytest.raises(ConfigurationError, match="cores_per_worker=3 on 2 cores"):
        plan_workers(PlacementRequest(cores_per_worker=3), node(2))
    with pytest.raises(ConfigurationError, match=r"mem_per_worker=300 on 16\.0 GB"):
        plan_workers(PlacementRequest(mem_per_worker_gb=300), node(2))


def test_a_typing_error_does_not_start_a_million_workers():
    with pytest.raises(ConfigurationError, match="Set max_workers_per_node"):
        plan_workers(PlacementRequest(cores_per_worker=1e-6), node(2))


@pytest.mark.parametrize("cores_per_worker", [0, -1, float("nan")])
def test_cores_per_worker_must_be_positive(cores_per_worker):
    with pytest.raises(ConfigurationError, match="cores_per_worker"):
        plan_workers(PlacementRequest(cores_per_worker=cores_per_worker), node(2))


def test_without_affinity_nothing_is_bound_and_nothing_set():
    placement = plan_workers(PlacementRequest(), node(2))
    assert [(w.rank, w.cpus, w.accelerator, w.environment) for w in placement.workers] == [
        (0, None, None, {}),
        (1, None, None, {}),
    ]
    assert placement.warnings == ()


@pytest.mark.parametrize(
    ("affinity", "shares"),
    [
        ("block", [(0, 1), (2, 3)]),
        ("block-reverse", [(3, 2), (1, 0)]),
        ("alternating", [(0, 2), (1, 3)]),
    ],
)
def test_two_workers_on_four_cpus(affinity, shares):
    assert cpus_of(affinity, node(4), 2) == shares


def test_openmp_gets_the_cpus_in_their_order():
    [worker] = plan_workers(
        PlacementRequest(cpu_affinity="list:1,0", max_workers_per_node=1), node(2)
    ).workers
    assert worker.cpus == (1, 0)
    assert worker.environment == {
        "OMP_NUM_THREADS": "2",
        "GOMP_CPU_AFFINITY": "1,0",
        "KMP_AFFINITY": "explicit,proclist=[1,0]",
    }


@given(
    st.sampled_from(["block", "block-reverse", "alternating"]),
    st.sets(st.integers(0, 400), min_size=1, max_size=64),
    st.data(),
)
def test_cpus_are_shared_out_completely_and_disjointly(affinity, cpus, data):
    workers = data.draw(st.integers(1, len(cpus)))
    shares = cpus_of(affinity, node(sorted(cpus)), workers)
    assert len(shares) == workers
    assert sorted(cpu for share in shares for cpu in share) == sorted(cpus)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@given(
    st.sampled_from(["block", "block-reverse", "alternating"]),
    st.integers(1, 16),
    st.integers(1, 64),
)
def test_more_workers_than_cpus_share_them_evenly(affinity, cpus, workers):
    shares = cpus_of(affinity, node(cpus), workers)
    assert all(shares)
    used = [cpu for share in shares for cpu in share]
    loads = [used.count(cpu) for cpu in range(cpus)]
    assert max(loads) - min(loads) <= 1


def test_more_workers_than_cpus_cause_a_warning():
    request = PlacementRequest(cores_per_worker=0.1, max_workers_per_node=3, cpu_affinity="block")
    [warning] = plan_workers(request, node(2)).warnings
    assert "3 workers share 2 CPUs" in warning


def test_aurora_on_aurora():
    placement = plan_workers(AURORA, node(208))
    assert placement.warnings == ()
    assert [worker.accelerator for worker in placement.workers] == list(TILES)
    assert [worker.environment["ZE_AFFINITY_MASK"] for worker in placement.workers] == list(TILES)
    assert {worker.environment["OMP_NUM_THREADS"] for worker in placement.workers} == {"16"}
    last = placement.workers[-1]
    assert last.cpus == (*range(92, 100), *range(196, 204))


def test_auroras_list_on_a_laptop_uses_the_existing_cpus_and_warns_once():
    placement = plan_workers(AURORA, node(2))
    assert [worker.cpus for worker in placement.workers] == [(0, 1)] + [None] * 11
    assert [worker.environment["ZE_AFFINITY_MASK"] for worker in placement.workers] == list(TILES)
    assert placement.workers[0].environment.keys() >= OMP_KEYS
    assert OMP_KEYS & placement.workers[1].environment.keys() == {"OMP_NUM_THREADS"}
    [warning] = placement.warnings
    assert "left out: 2-47,52-99,104-151,156-203." in warning
    assert "Workers 1-11, left without any, may use all usable CPUs: 0-1." in warning


def test_the_list_is_read_only_for_existing_workers():
    request = AURORA._replace(cpu_affinity="list:0:1:77", max_workers_per_node=2)
    assert plan_workers(request, node(2)).warnings == ()


def test_a_list_that_is_too_short_limits_the_workers():
    request = PlacementRequest(cpu_affinity="list:0-1")
    placement = plan_workers(request, node(2))
    assert len(placement.workers) == 1
    assert (placement.warnings, placement.notice) == ((), "")
    placement = plan_workers(request._replace(max_workers_per_node=2), node(2))
    assert len(placement.workers) == 1
    assert "2 workers are requested (max_workers_per_node=2), but 1 run" in placement.notice


def test_a_list_overrides_the_launchers_binding():
    request = PlacementRequest(cpu_affinity="list:0:1")
    placement = plan_workers(request, node([0, 1], bindable_cpus=(0, 1)))
    assert [worker.cpus for worker in placement.workers] == [(0,), (1,)]
    assert placement.warnings == ()


@pytest.mark.parametrize(
    ("affinity", "cpus"),
    [
        ("none", [(0, 1, 2, 3), (0, 1, 2, 3)]),
        ("block", [(0, 1), (2, 3)]),
        ("list:1:77", [(1,), (0, 1, 2, 3)]),
    ],
)
def test_workers_undo_a_launchers_binding(affinity, cpus):
    request = PlacementRequest(max_workers_per_node=2, cpu_affinity=affinity)
    placement = plan_workers(request, node(4, bindable_cpus=(0, 1, 2, 3), is_bound_by_launcher=True))
    assert [worker.cpus for worker in placement.workers] == cpus
    assert "its workers use all: 0-3" in placement.warnings[0]
    assert placement.notice == ""


def test_several_workers_share_a_cuda_device_where_there_are_fewer():
    request = PlacementRequest(available_accelerators=tuple("01234567"))
    workers = plan_workers(request, node(16, cuda_devices=2)).workers
    assert [worker.environment["CUDA_VISIBLE_DEVICES"] for worker in workers] == list("00001111")
    assert [worker.environment["ROCR_VISIBLE_DEVICES"] for worker in workers] == list("01234567")


def test_names_that_are_repeated_by_the_user_are_kept():
    request = PlacementRequest(available_accelerators=("0", "0", "1", "1"))
    workers = plan_workers(request, node(16, cuda_devices=2)).workers
    assert [worker.environment["CUDA_VISIBLE_DEVICES"] for worker in workers] == ["0", "0", "1", "1"]


def test_names_of_tiles_are_translated_where_tiles_are_devices():
    placement = plan_workers(AURORA, node(208, flat_tiles=True))
    assert [worker.accelerator for worker in placement.workers] == [str(number) for number in range(12)]
    assert placement.workers[5].environment["ZE_AFFINITY_MASK"] == "5"
    assert TILES[5] == "2.1"
    [warning] = placement.warnings
    assert "ZE_FLAT_DEVICE_HIERARCHY" in warning
    assert "0.0 is 0" in warning


def test_valid_names_cause_no_warning():
    request = PlacementRequest(available_accelerators=("0", "1"))
    assert plan_workers(request, node(8, flat_tiles=True)).warnings == ()
    assert plan_workers(AURORA, node(208)).warnings == ()
    assert plan_workers(AURORA, node(208)).workers[5].accelerator == "2.1"


def test_names_that_cannot_be_translated_are_refused():
    request = PlacementRequest(available_accelerators=("0.0", "1.0"))
    with pytest.raises(ConfigurationError, match="COMPOSITE"):
        plan_workers(request, node(8, flat_tiles=True))
