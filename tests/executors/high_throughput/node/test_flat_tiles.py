"""Names of tiles where every tile is a device of its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsl.errors import ConfigurationError
from parsl.executors.high_throughput.node.flat_tiles import flat_names, is_flat, name_tiles

AURORA = tuple(f"{gpu}.{tile}" for gpu in range(6) for tile in range(2))


def test_auroras_tiles_are_numbered_through():
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
def test_names_are_translated_or_kept(names, flat):
    assert flat_names(names) == flat


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("0.0", "1.0"), "how many tiles"),
        (("0", "1.0", "1.1"), "'0' is among names of tiles"),
        (("0.0,2", "1.1"), "'2' is among"),
    ],
)
def test_names_that_may_mean_two_things_are_refused(names, reason):
    with pytest.raises(ConfigurationError, match=reason) as caught:
        flat_names(names)
    assert "COMPOSITE" in str(caught.value)


@given(st.integers(1, 8), st.integers(2, 4))
def test_all_tiles_of_a_node_are_all_its_devices(gpus, tiles):
    names = [f"{gpu}.{tile}" for gpu in range(gpus) for tile in range(tiles)]
    assert flat_names(names) == tuple(str(number) for number in range(gpus * tiles))


def test_what_the_environment_says():
    assert is_flat({"ZE_FLAT_DEVICE_HIERARCHY": " flat"})
    assert not is_flat({"ZE_FLAT_DEVICE_HIERARCHY": "COMPOSITE"})
    assert not is_flat({})
    assert name_tiles(["0", "1,2.0"])
    assert not name_tiles(["0", "1.x", "GPU-1.0"])
