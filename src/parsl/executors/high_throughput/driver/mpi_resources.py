"""What an MPI task asks for: checked, and completed where only some of it is said."""

from __future__ import annotations

from collections.abc import Mapping
from operator import index
from typing import Any

from parsl.executors.errors import InvalidResourceSpecification
from parsl.executors.high_throughput.wire.protocol import Resources

_NUMBERS = ("num_nodes", "ranks_per_node", "num_ranks")
#: Longest launcher_options, in bytes: they are in several variables of the task's environment.
MAX_OPTIONS = 2000
#: The keys of a specification that are about MPI.
MPI_KEYS = frozenset({*_NUMBERS, "launcher_options"})


def complete_resources(specification: Mapping[str, Any], most_nodes: int | None = None) -> Resources:
    """Read a resource specification.

    Of nodes, ranks per node and ranks, two determine the third. A single one is understood as one rank per
    node, or as ranks on one node.

    Args:
        specification: The task's; keys that are none of `MPI_KEYS` are left alone.
        most_nodes: How many nodes a block has; None if nobody knows.

    Raises:
        InvalidResourceSpecification: It is missing, or no block could ever meet it.
    """
    numbers = {
        key: _number(key, specification[key]) for key in _NUMBERS if specification.get(key) is not None
    }
    if not numbers:
        raise InvalidResourceSpecification(
            set(),
            "An MPI task has to say how large it is; call the app with "
            "parsl_resource_specification={'num_nodes': 2, 'ranks_per_node': 12}, for example.",
        )
    resources = Resources(*_complete(numbers), _options(specification.get("launcher_options")))
    if most_nodes is not None and resources.num_nodes > most_nodes:
        raise InvalidResourceSpecification(
            {"num_nodes"},
            f"The task asks for {_count(resources.num_nodes, 'node')}, but a block has "
            f"{_count(most_nodes, 'node')}: ask for fewer, or set the provider's nodes_per_block.",
        )
    return resources


def _options(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or "\0" in value or len(value.encode(errors="replace")) > MAX_OPTIONS:
        text = repr(value)
        raise InvalidResourceSpecification(
            {"launcher_options"},
            f"launcher_options must be a string of at most {MAX_OPTIONS} bytes, not {text[:100]}.",
        )
    return value


def _number(key: str, value: Any) -> int:
    try:
        number = index(value)
    except TypeError:
        number = 0
    if isinstance(value, bool) or number < 1:
        raise InvalidResourceSpecification({key}, f"{key} must be a whole number above 0, not {value!r}.")
    return number


def _complete(numbers: Mapping[str, int]) -> tuple[int, int, int]:
    """Returns: nodes, ranks per node, ranks."""
    nodes, per_node, ranks = (numbers.get(key) for key in _NUMBERS)
    if ranks is None:
        nodes, per_node = nodes or 1, per_node or 1
        return nodes, per_node, nodes * per_node
    if per_node is None:
        nodes = nodes or 1
        return nodes, _divide(ranks, nodes, "num_nodes"), ranks
    if nodes is None:
        return _divide(ranks, per_node, "ranks_per_node"), per_node, ranks
    if nodes * per_node != ranks:
        raise InvalidResourceSpecification(
            set(_NUMBERS),
            f"{_count(nodes, 'node')} with {_count(per_node, 'rank')} each are "
            f"{_count(nodes * per_node, 'rank')}, not num_ranks={ranks}. "
            "Leave one of the three out, and it is calculated.",
        )
    return nodes, per_node, ranks


def _divide(ranks: int, by: int, key: str) -> int:
    if below := ranks % by:
        lower = ranks - below
        possible = f"{lower} or {lower + by}" if lower else str(by)
        raise InvalidResourceSpecification(
            {key, "num_ranks"},
            f"num_ranks={ranks} cannot be divided by {key}={by} without a rest: all nodes have as many "
            f"ranks. Ask for {possible} ranks.",
        )
    return ranks // by


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
