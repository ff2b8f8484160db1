"""Facts read from a node, and the overrides in its environment."""

import os

import pytest

from parsl.executors.high_throughput.node.facts import cpus_for_workers, read_node_facts
from parsl.validate import ParameterError


def test_this_node_is_read_and_left_as_it_was():
    before = os.sched_getaffinity(0)
    node = read_node_facts({})
    assert set(before) <= set(node.cpus) == set(node.bindable_cpus)
    assert node.cores is None
    assert node.total_cpus >= len(node.cpus)
    assert node.memory_gb > 0
    assert node.cuda_devices == 0
    assert os.sched_getaffinity(0) == before


def test_the_environment_overrides_cores_and_memory():
    node = read_node_facts({"PARSL_CORES": "208", "PARSL_MEMORY_GB": "1.5"})
    assert (node.cores, node.memory_gb) == (208, 1.5)


@pytest.fixture
def bound_cpu():
    """Bind this process to one of its CPUs, as `taskset` does."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, [min(before)])
    yield min(before)
    os.sched_setaffinity(0, before)


def test_a_launchers_binding_is_seen_and_can_be_undone(bound_cpu):
    node = read_node_facts({})
    assert bound_cpu in node.cpus == node.bindable_cpus
    assert node.is_bound_by_launcher == (len(node.cpus) > 1)
    assert os.sched_getaffinity(0) == {bound_cpu}


def test_the_users_own_binding_stays(bound_cpu):
    node = read_node_facts({}, keeps_binding=True)
    assert node.cpus == (bound_cpu,)
    assert set(node.cpus) <= set(node.bindable_cpus)
    assert not node.is_bound_by_launcher


def test_a_binding_to_all_that_slurm_has_allocated_stays(bound_cpu):
    assert read_node_facts({"SLURM_JOB_CPUS_PER_NODE": "1(x3)"}).cpus == (bound_cpu,)


@pytest.mark.parametrize(
    ("bound", "allocated", "keeps_binding", "cpus"),
    [
        ((0,), None, False, (0, 1, 2, 3)),
        ((0,), 4, False, (0, 1, 2, 3)),
        ((0, 1), 2, False, (0, 1)),
        ((0,), None, True, (0,)),
        ((0, 1, 2, 3), 4, False, (0, 1, 2, 3)),
    ],
)
def test_which_cpus_workers_may_use(bound, allocated, keeps_binding, cpus):
    assert cpus_for_workers(bound, (0, 1, 2, 3), allocated, keeps_binding=keeps_binding) == cpus


@pytest.mark.parametrize("text", ["0", "-1", "2.5", "many", "9" * 40])
def test_a_wrong_number_of_cores_is_refused_by_name(text):
    with pytest.raises(ParameterError, match="PARSL_CORES"):
        read_node_facts({"PARSL_CORES": text})


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "much"])
def test_a_wrong_amount_of_memory_is_refused_by_name(text):
    with pytest.raises(ParameterError, match="PARSL_MEMORY_GB"):
        read_node_facts({"PARSL_MEMORY_GB": text})


def test_cuda_devices_are_counted_where_they_may_be_shared(tmp_path):
    nvidia_smi = tmp_path / "nvidia-smi"
    nvidia_smi.write_text(
        "#!/bin/bash\necho 'GPU 0: A100 (UUID: GPU-1)'\necho '  MIG 1g.5gb Device 0: (UUID: MIG-1)'\n"
        "echo 'GPU 1: A100 (UUID: GPU-2)'\n"
    )
    nvidia_smi.chmod(0o755)
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    assert read_node_facts(environ, ["0", "1", "2", "3"]).cuda_devices == 2
    assert read_node_facts(environ, ["0.0", "0.1"]).cuda_devices == 0


def test_flat_tiles_are_noticed():
    assert read_node_facts({"ZE_FLAT_DEVICE_HIERARCHY": "FLAT"}).flat_tiles
    assert read_node_facts({"ZE_FLAT_DEVICE_HIERARCHY": "combined"}).flat_tiles
    assert not read_node_facts({"ZE_FLAT_DEVICE_HIERARCHY": "COMPOSITE"}).flat_tiles
