"""Resource specifications are completed, or refused with the reason."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsl.executors import HighThroughputExecutor
from parsl.executors.errors import InvalidResourceSpecification
from parsl.executors.high_throughput.driver.resource_specification import (
    check_runtime,
    complete_resources,
)
from parsl.executors.high_throughput.wire.protocol import Resources
from parsl.providers import PBSProProvider


class Index:
    """An integer of another library."""

    def __index__(self) -> int:
        return 2


@pytest.mark.parametrize(
    ("specification", "nodes", "per_node", "ranks"),
    [
        ({"num_nodes": 2, "ranks_per_node": 12, "num_ranks": 24}, 2, 12, 24),
        ({"num_nodes": 2, "ranks_per_node": 12}, 2, 12, 24),
        ({"num_nodes": 2, "num_ranks": 24}, 2, 12, 24),
        ({"ranks_per_node": 12, "num_ranks": 24}, 2, 12, 24),
        ({"num_nodes": 3}, 3, 1, 3),
        ({"ranks_per_node": 4}, 1, 4, 4),
        ({"num_ranks": 4}, 1, 4, 4),
        ({"num_nodes": 1, "num_ranks": 1, "ranks_per_node": None}, 1, 1, 1),
        ({"num_nodes": Index()}, 2, 1, 2),
    ],
)
def test_two_numbers_determine_the_third(
    specification: dict[str, Any], nodes: int, per_node: int, ranks: int
) -> None:
    before = dict(specification)
    assert complete_resources(specification) == Resources(nodes, per_node, ranks, "")
    assert specification == before


def test_launcher_options_are_kept_unchanged() -> None:
    assert complete_resources({"num_nodes": 1, "launcher_options": "-d 8"}).launcher_options == "-d 8"


@pytest.mark.parametrize(
    ("specification", "keys", "words"),
    [
        ({}, set(), "has to specify its size"),
        ({"launcher_options": "-d 8"}, set(), "has to specify its size"),
        ({"num_nodes": 0}, {"num_nodes"}, "whole number above 0, not 0"),
        ({"num_nodes": "2"}, {"num_nodes"}, "not '2'"),
        ({"num_nodes": True}, {"num_nodes"}, "not True"),
        ({"ranks_per_node": 2.0}, {"ranks_per_node"}, "not 2.0"),
        ({"num_ranks": -1}, {"num_ranks"}, "not -1"),
        (
            {"num_nodes": 2, "num_ranks": 3},
            {"num_nodes", "num_ranks"},
            "cannot be divided evenly by num_nodes=2",
        ),
        (
            {"ranks_per_node": 3, "num_ranks": 4},
            {"ranks_per_node", "num_ranks"},
            "by ranks_per_node=3.*Request 3 or 6 ranks",
        ),
        ({"num_nodes": 4, "num_ranks": 3}, {"num_nodes", "num_ranks"}, "by num_nodes=4.* Request 4 ranks"),
        (
            {"num_nodes": 2, "ranks_per_node": 3, "num_ranks": 7},
            {"num_nodes", "ranks_per_node", "num_ranks"},
            "2 nodes with 3 ranks each are 6 ranks, not num_ranks=7",
        ),
        ({"num_nodes": 5}, {"num_nodes"}, "requests 5 nodes, but a block has 4 nodes"),
        ({"ranks_per_node": 1, "num_ranks": 5}, {"num_nodes"}, "requests 5 nodes"),
        ({"num_nodes": 1, "launcher_options": ["-x"]}, {"launcher_options"}, "must be a string"),
    ],
)
def test_specifications_that_no_block_can_meet_are_refused(
    specification: dict[str, Any], keys: set[str], words: str
) -> None:
    with pytest.raises(InvalidResourceSpecification, match=words) as caught:
        complete_resources(specification, max_nodes=4)
    assert caught.value.invalid_keys == keys


@given(
    st.fixed_dictionaries(
        {}, optional={key: st.integers(1, 12) for key in ("num_nodes", "ranks_per_node", "num_ranks")}
    )
)
def test_completed_specifications_are_consistent_and_keep_the_given_values(
    specification: dict[str, int],
) -> None:
    try:
        found = complete_resources(specification)
    except InvalidResourceSpecification:
        return
    assert found.num_nodes * found.ranks_per_node == found.num_ranks
    assert all(getattr(found, key) == value for key, value in specification.items())


@pytest.mark.parametrize("walltime_s", [None, 600])
def test_a_runtime_within_the_walltime_is_accepted(walltime_s: float | None) -> None:
    check_runtime(0.5, walltime_s)
    check_runtime(600, walltime_s)


@pytest.mark.parametrize(
    ("runtime_s", "walltime_s"), [(0, None), (-1, None), (float("inf"), None), (601, 600)]
)
def test_a_runtime_that_no_block_has_is_refused(runtime_s: float, walltime_s: float | None) -> None:
    with pytest.raises(InvalidResourceSpecification, match="runtime_s"):
        check_runtime(runtime_s, walltime_s)


@pytest.mark.parametrize("value", ["1h", True, 3601])
def test_an_executor_refuses_runtimes_above_its_providers_walltime(value: object) -> None:
    executor = HighThroughputExecutor(provider=PBSProProvider(walltime="1:00:00"))
    executor.validate_resource_spec({"runtime_s": 3600})
    with pytest.raises(InvalidResourceSpecification, match="runtime_s"):
        executor.validate_resource_spec({"runtime_s": value})
