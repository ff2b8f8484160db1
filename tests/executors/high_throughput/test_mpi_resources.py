"""What an MPI task asks for is completed, or refused with the reason."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsl.executors.errors import InvalidResourceSpecification
from parsl.executors.high_throughput.driver.mpi_resources import complete_resources
from parsl.executors.high_throughput.wire.protocol import Resources


class Index:
    """A whole number of some other library."""

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


def test_launcher_options_are_taken_as_they_are() -> None:
    assert complete_resources({"num_nodes": 1, "launcher_options": "-d 8"}).launcher_options == "-d 8"


@pytest.mark.parametrize(
    ("specification", "keys", "words"),
    [
        ({}, set(), "has to say how large it is"),
        ({"launcher_options": "-d 8"}, set(), "has to say how large it is"),
        ({"num_nodes": 0}, {"num_nodes"}, "whole number above 0, not 0"),
        ({"num_nodes": "2"}, {"num_nodes"}, "not '2'"),
        ({"num_nodes": True}, {"num_nodes"}, "not True"),
        ({"ranks_per_node": 2.0}, {"ranks_per_node"}, "not 2.0"),
        ({"num_ranks": -1}, {"num_ranks"}, "not -1"),
        ({"num_nodes": 2, "num_ranks": 3}, {"num_nodes", "num_ranks"}, "cannot be divided by num_nodes=2"),
        (
            {"ranks_per_node": 3, "num_ranks": 4},
            {"ranks_per_node", "num_ranks"},
            "by ranks_per_node=3.*for 3 or 6 ranks",
        ),
        ({"num_nodes": 4, "num_ranks": 3}, {"num_nodes", "num_ranks"}, "by num_nodes=4.* Ask for 4 ranks"),
        (
            {"num_nodes": 2, "ranks_per_node": 3, "num_ranks": 7},
            {"num_nodes", "ranks_per_node", "num_ranks"},
            "2 nodes with 3 ranks each are 6 ranks, not num_ranks=7",
        ),
        ({"num_nodes": 5}, {"num_nodes"}, "asks for 5 nodes, but a block has 4 nodes"),
        ({"ranks_per_node": 1, "num_ranks": 5}, {"num_nodes"}, "asks for 5 nodes"),
        ({"num_nodes": 1, "launcher_options": ["-x"]}, {"launcher_options"}, "must be a string"),
    ],
)
def test_what_no_block_can_meet_is_refused(specification: dict[str, Any], keys: set[str], words: str) -> None:
    with pytest.raises(InvalidResourceSpecification, match=words) as caught:
        complete_resources(specification, most_nodes=4)
    assert caught.value.invalid_keys == keys


@given(
    st.fixed_dictionaries(
        {}, optional={key: st.integers(1, 12) for key in ("num_nodes", "ranks_per_node", "num_ranks")}
    )
)
def test_what_is_accepted_fits_together_and_keeps_what_was_said(specification: dict[str, int]) -> None:
    try:
        found = complete_resources(specification)
    except InvalidResourceSpecification:
        return
    assert found.num_nodes * found.ranks_per_node == found.num_ranks
    assert all(getattr(found, key) == value for key, value in specification.items())
