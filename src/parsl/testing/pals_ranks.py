"""Which ranks PALS would start where, with which environment and CPUs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from parsl.executors.high_throughput.node.cpu_list import LIST_PREFIX, parse_cpu_list
from parsl.testing.pals_options import PalsOptions, PalsUsageError


class Rank(NamedTuple):
    """One process to start."""

    rank: int
    local_rank: int
    node: int
    host: str
    #: What to bind it to; None to leave it unbound.
    cpus: tuple[int, ...] | None

    def environment(self) -> dict[str, str]:
        """Return the variables by which it knows its place."""
        return {
            "PALS_RANKID": str(self.rank),
            "PALS_LOCAL_RANKID": str(self.local_rank),
            "PALS_NODEID": str(self.node),
        }


def plan_ranks(options: PalsOptions, hosts: Sequence[str], cpus: Sequence[int]) -> tuple[Rank, ...]:
    """Fill the nodes with ranks, one node after the other.

    Args:
        options: The command line.
        hosts: The nodes; one that is named again is the same node.
        cpus: The CPUs of a node that may be used, sorted.

    Returns:
        The ranks in their order.

    Raises:
        PalsUsageError: There is no node, or there are more ranks than room.
    """
    nodes = list(dict.fromkeys(hosts))
    if not nodes:
        raise PalsUsageError("no hosts were given")
    total = options.np or (options.ppn or 1) * len(nodes)
    per_node = options.ppn or -(-total // len(nodes))
    if total > per_node * len(nodes):
        raise PalsUsageError(f"{total} ranks do not fit on {len(nodes)} nodes with {per_node} ranks on each")
    return tuple(
        Rank(
            rank,
            rank % per_node,
            rank // per_node,
            nodes[rank // per_node],
            _cpus(options, rank % per_node, cpus),
        )
        for rank in range(total)
    )


def read_hosts(text: str) -> list[str]:
    """Return the nodes of a node file: one on each line, with comments and empty lines left out."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def _cpus(options: PalsOptions, local_rank: int, usable: Sequence[int]) -> tuple[int, ...] | None:
    """Return the rank's CPUs, as far as there are such CPUs here."""
    if options.cpu_bind == "none":
        return None
    if options.cpu_bind.startswith(LIST_PREFIX):
        groups = parse_cpu_list(options.cpu_bind[len(LIST_PREFIX) :])
        wanted = groups[local_rank % len(groups)]
        return tuple(cpu for cpu in wanted if cpu in usable) or None
    width = options.depth if options.cpu_bind == "depth" else 1
    return tuple(usable[local_rank * width : (local_rank + 1) * width]) or None
