"""Accelerators: valid and invalid names, shared devices, and tiles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsl.errors import ConfigurationError
from parsl.executors.high_throughput.node.accelerators import (
    accelerator_environment,
    are_plain_numbers,
    are_tiles_flat,
    check_accelerators,
    flat_names,
    include_tiles,
    shared_cuda_device,
)
from parsl.validate import ParameterError


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (0, ()),
        (3, ("0", "1", "2")),
        ([], ()),
        (["0.0", "0.1"], ("0.0", "0.1")),
        (("0,1", "2,3"), ("0,1", "2,3")),
        (["0", "0", "1", "1"], ("0", "0", "1", "1")),
        ((name for name in ["GPU-8f1a", "MIG-7c2b"]), ("GPU-8f1a", "MIG-7c2b")),
    ],
)
def test_a_number_becomes_names_and_names_are_kept(value, names):
    assert check_accelerators(value) == names


@pytest.mark.parametrize(
    "value",
    [
        -1,
        10**9,
        1.5,
        True,
        None,
        "0,1",
        b"01",
        {"0": 1},
        {"0"},
        ["0", 1],
        [""],
        [" "],
        ["0,,1"],
        ["0\n"],
        [["0"]],
    ],
)
def test_anything_else_is_refused_by_name(value):
    with pytest.raises(ParameterError, match="HighThroughputExecutor: available_accelerators"):
        check_accelerators(value)


def test_the_error_for_a_string_shows_the_list():
    with pytest.raises(ParameterError, match=r"write \['0,1'\]"):
        check_accelerators("0,1")


def test_the_environment_suits_the_devices_of_all_three_vendors():
    assert accelerator_environment("3.1") == {
        "CUDA_VISIBLE_DEVICES": "3.1",
        "ROCR_VISIBLE_DEVICES": "3.1",
        "ZE_AFFINITY_MASK": "3.1",
        "ZE_ENABLE_PCI_ID_DEVICE_ORDER": "1",
    }


def test_neighbours_share_a_device():
    assert [shared_cuda_device(rank, 8, 2) for rank in range(8)] == list("00001111")


@given(st.integers(1, 200).flatmap(lambda workers: st.tuples(st.just(workers), st.integers(1, workers))))
def test_workers_are_spread_evenly_over_devices(sizes):
    workers, devices = sizes
    used = [int(shared_cuda_device(rank, workers, devices)) for rank in range(workers)]
    loads = [used.count(device) for device in range(devices)]
    assert max(loads) - min(loads) <= 1
    assert used == sorted(used)


def test_only_counted_names_are_plain_numbers():
    assert are_plain_numbers(("0", "1", "2"))
    assert not are_plain_numbers(("0", "0", "1"))
    assert not are_plain_numbers(("0.0", "0.1"))


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(json_like)
def test_any_value_is_accepted_or_refused(value):
    try:
        names = check_accelerators(value)
    except ParameterError:
        return
    assert all(isinstance(name, str) for name in names)


AURORA = tuple(f"{gpu}.{tile}" for gpu in range(6) for tile in range(2))


class TestFlatTiles:
    """Names of tiles on nodes where every tile is a separate device."""

    def test_auroras_tiles_are_numbered_consecutively(self):
        assert flat_names(AURORA) == tuple(str(number) for number in range(12))

    @pytest.mark.parametrize(
        ("names", "flat"),
        [
            (("2.1",), ("5",)),
            (("0.0,0.1", "1.0, 1.1"), ("0,1", "2,3")),
            (("1.3", "0.0"), ("7", "0")),
            (("0.0", "0.0", "0.1"), ("0", "0", "1")),
            (("0", "1"), ("0", "1")),
            (("GPU-8f1a",), ("GPU-8f1a",)),
            ((), ()),
        ],
    )
    def test_names_are_translated_or_kept(self, names, flat):
        assert flat_names(names) == flat

    @pytest.mark.parametrize(
        ("names", "reason"),
        [
            (("0.0", "1.0"), "how many tiles"),
            (("0", "1.0", "1.1"), "'0' is among names of tiles"),
            (("0.0,2", "1.1"), "'2' is among"),
        ],
    )
    def test_ambiguous_names_are_refused(self, names, reason):
        with pytest.raises(ConfigurationError, match=reason) as caught:
            flat_names(names)
        assert "COMPOSITE" in str(caught.value)

    @given(st.integers(1, 8), st.integers(2, 4))
    def test_all_tiles_of_a_node_are_all_its_devices(self, gpus, tiles):
        names = [f"{gpu}.{tile}" for gpu in range(gpus) for tile in range(tiles)]
        assert flat_names(names) == tuple(str(number) for number in range(gpus * tiles))

    def test_the_variable_and_the_names_are_recognized(self):
        assert are_tiles_flat({"ZE_FLAT_DEVICE_HIERARCHY": " flat"})
        assert not are_tiles_flat({"ZE_FLAT_DEVICE_HIERARCHY": "COMPOSITE"})
        assert not are_tiles_flat({})
        assert include_tiles(["0", "1,2.0"])
        assert not include_tiles(["0", "1.x", "GPU-1.0"])
