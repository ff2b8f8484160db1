"""Nodes of a cluster that run in blocks: the command that starts one, and what the blocks are doing."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from urllib.parse import quote

from parsl.common.commands import python_command
from parsl.executors.blocks.views import BlockActivity
from parsl.executors.ray.nodes import RayNode
from parsl.executors.ray.target import Target

#: How old the last look at the nodes may be, in seconds.
MAX_AGE_S = 1.0


def node_name(label: str, block_id: str) -> str:
    """Return the name of the nodes of a block. No label contains the ":" at its end, once it is quoted."""
    return f"parsl-{quote(label, safe='')}:{block_id}"


def node_command(target: Target, gcs_address: str, name: str, token_file: str | None, options: str) -> str:
    """Return the shell command that starts a node, and runs as long as the node does.

    Args:
        target: The cluster; its amounts are those of a node.
        gcs_address: Where the head of the cluster is.
        name: The name of the node.
        token_file: The file with the cluster's token, if it has one.
        options: Further options of ``ray start``, as shell text.
    """
    variables = {"RAY_USAGE_STATS_ENABLED": "0"}
    if token_file is not None:
        variables.update({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": token_file})
    words = ["env", *(f"{variable}={value}" for variable, value in variables.items())]
    words += [*python_command("ray.scripts.scripts"), "start", "--block", "--disable-usage-stats"]
    words += [f"--address={gcs_address}", f"--node-name={name}", *_amounts(target)]
    return f"{shlex.join(words)} {options}".strip()


def _amounts(target: Target) -> list[str]:
    words = []
    if target.num_cpus is not None:
        words.append(f"--num-cpus={target.num_cpus}")
    if target.num_gpus is not None:
        words.append(f"--num-gpus={target.num_gpus}")
    if target.resources:
        import json

        words.append(f"--resources={json.dumps(dict(target.resources))}")
    return words


class BlockNodes:
    """What the nodes of an executor's blocks are doing, as last seen.

    Args:
        label: The executor.
        clock: Returns the time, in seconds.
    """

    def __init__(self, label: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._prefix = node_name(label, "")
        self._clock = clock
        self._seen_s: float | None = None
        self._idle_since: dict[str, float] = {}
        self.activity: dict[str, BlockActivity] = {}

    def __repr__(self) -> str:
        return f"<BlockNodes, {len(self.activity)} blocks>"

    def belongs(self, node: RayNode) -> bool:
        """Return whether a node is part of a block of this executor."""
        return node.name.startswith(self._prefix)

    def is_old(self) -> bool:
        """Return whether the nodes were last seen some time ago."""
        return self._seen_s is None or self._clock() - self._seen_s > MAX_AGE_S

    def see(
        self,
        nodes: Iterable[RayNode],
        free: Mapping[str, Mapping[str, float]],
        holders: Collection[str] = (),
    ) -> None:
        """Take note of what the nodes are doing.

        Args:
            nodes: The living nodes of the cluster.
            free: What each has free, by its id.
            holders: The ids of those that hold results of tasks. They are not idle.
        """
        self._seen_s = self._clock()
        by_block: dict[str, list[RayNode]] = {}
        for node in filter(self.belongs, nodes):
            by_block.setdefault(node.name.removeprefix(self._prefix), []).append(node)
        self.activity = {
            block: self._activity_of(
                block, each, sum(_tasks_on(node, free.get(node.node_id), holders) for node in each)
            )
            for block, each in by_block.items()
        }

    def _activity_of(self, block: str, nodes: list[RayNode], used: int) -> BlockActivity:
        now_s = self._clock()
        since_s = self._idle_since.setdefault(block, now_s)
        if used:
            self._idle_since[block] = since_s = now_s
        workers = sum(int(node.capacity.cores) for node in nodes)
        return BlockActivity(len(nodes), workers, used, 0.0 if used else now_s - since_s)


def _tasks_on(node: RayNode, free: Mapping[str, float] | None, holders: Collection[str]) -> int:
    return max(_used_cores(node, free), int(node.node_id in holders))


def _used_cores(node: RayNode, free: Mapping[str, float] | None) -> int:
    """Return how many cores tasks hold, rounded up; 1 if they hold something else only."""
    if free is None:
        return 0
    held = node.capacity.cores - free.get("CPU", 0.0)
    if held > 0:
        return max(1, round(held))
    return int(node.capacity.gpus > free.get("GPU", 0.0))
