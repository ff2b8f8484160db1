"""The resource specification of a task: checked, and completed where MPI tasks give only a part of it."""

from __future__ import annotations

from collections.abc import Mapping
from operator import index
from typing import Any, NamedTuple

from parsl.executors.errors import InvalidResourceSpecification
from parsl.executors.high_throughput.wire.protocol import Resources

#: The keys that every task may have.
COMMON_KEYS = frozenset({"priority", "runtime_s", "walltime_s"})
_SIZES = ("num_nodes", "ranks_per_node", "num_ranks")
#: The keys about MPI.
MPI_KEYS = frozenset({*_SIZES, "launcher_options"})
#: Longest launcher_options, in bytes: several variables of the task's environment contain them.
MAX_OPTIONS = 2000


class Requirements(NamedTuple):
    """What one task requests; the fields mean what those of `protocol.Task` mean."""

    priority: float | None = None
    walltime_s: float | None = None
    runtime_s: float | None = None
    resources: Resources | None = None


def check_common(specification: Mapping[str, Any], walltime_s: float | None) -> None:
    """Check the keys that every task may have; `walltime_s` is that of a block, None if unknown."""
    for key in COMMON_KEYS & specification.keys():
        value = specification[key]
        if value is not None and not _is_number(value):
            raise InvalidResourceSpecification({key}, f"{key} must be a number, not {value!r}.")
    if (runtime_s := specification.get("runtime_s")) is not None:
        check_runtime(runtime_s, walltime_s)


def _is_number(value: Any) -> bool:
    """Return whether a value can be compared with numbers: `nan` and booleans cannot."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value


def check_runtime(runtime_s: float, walltime_s: float | None) -> None:
    """Refuse a run time that no block can offer; `walltime_s` is that of a block, None if unknown."""
    if not 0 < runtime_s < float("inf"):
        raise InvalidResourceSpecification(
            {"runtime_s"}, f"runtime_s must be more than 0 seconds, not {runtime_s!r}."
        )
    if walltime_s is not None and runtime_s > walltime_s:
        raise InvalidResourceSpecification(
            {"runtime_s"},
            f"The task takes {runtime_s:g} s, but a block has {walltime_s:g} s: set a longer walltime of the "
            "provider, or a shorter runtime_s.",
        )


def complete_resources(
    specification: Mapping[str, Any], max_nodes: int | None = None, max_ranks: int | None = None
) -> Resources:
    """Read the size of an MPI task.

    Of nodes, ranks per node and ranks, two determine the third. A single one means one rank per node, or
    ranks on one node. Other keys are ignored. `max_nodes` is the size of a block, `max_ranks` the limit on
    the ranks of a node; None if unknown.
    """
    sizes = {
        key: _whole_number(key, specification[key]) for key in _SIZES if specification.get(key) is not None
    }
    if not sizes:
        raise InvalidResourceSpecification(
            set(),
            "An MPI task has to specify its size; call the app with "
            "parsl_resource_specification={'num_nodes': 2, 'ranks_per_node': 12}, for example.",
        )
    resources = Resources(*_complete(sizes), _options(specification.get("launcher_options")))
    if max_nodes is not None and resources.num_nodes > max_nodes:
        raise InvalidResourceSpecification(
            {"num_nodes"},
            f"The task requests {_count(resources.num_nodes, 'node')}, but a block has "
            f"{_count(max_nodes, 'node')}: request fewer, or set the provider's nodes_per_block.",
        )
    if max_ranks is not None and resources.ranks_per_node > max_ranks:
        raise InvalidResourceSpecification(
            {"ranks_per_node"},
            f"The task requests {_count(resources.ranks_per_node, 'rank')} on each node, but "
            f"max_ranks_per_node is {max_ranks}: request fewer, or give the executor a higher limit.",
        )
    return resources


def _options(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or "\0" in value or len(value.encode(errors="replace")) > MAX_OPTIONS:
        raise InvalidResourceSpecification(
            {"launcher_options"},
            f"launcher_options must be a string of at most {MAX_OPTIONS} bytes, not {value!r:.100}.",
        )
    return value


def _whole_number(key: str, value: Any) -> int:
    try:
        number = index(value)
    except TypeError:
        number = 0
    if isinstance(value, bool) or number < 1:
        raise InvalidResourceSpecification({key}, f"{key} must be a whole number above 0, not {value!r}.")
    return number


def _complete(sizes: Mapping[str, int]) -> tuple[int, int, int]:
    """Return nodes, ranks per node and ranks."""
    nodes, per_node, ranks = (sizes.get(key) for key in _SIZES)
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
            set(_SIZES),
            f"{_count(nodes, 'node')} with {_count(per_node, 'rank')} each are "
            f"{_count(nodes * per_node, 'rank')}, not num_ranks={ranks}. "
            "Leave one of the three out, and it is calculated.",
        )
    return nodes, per_node, ranks


def _divide(ranks: int, by: int, key: str) -> int:
    if rest := ranks % by:
        lower = ranks - rest
        possible = f"{lower} or {lower + by}" if lower else str(by)
        raise InvalidResourceSpecification(
            {key, "num_ranks"},
            f"num_ranks={ranks} cannot be divided evenly by {key}={by}: all nodes have the same number of "
            f"ranks. Request {possible} ranks.",
        )
    return ranks // by


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
