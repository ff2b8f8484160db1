"""Decides which of the waiting jobs start, and on which nodes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from parsl.testing.schedulers.records import HELD, WAITING, Job, Placement, Queue

#: The reasons why a job waits, as PBS comments them.
TOO_FEW_NODES = "Not Running: Not enough free nodes available"
NEVER_ENOUGH_NODES = "Can Never Run: Not enough total nodes available"
NEVER_ENOUGH_CPUS = "Can Never Run: Insufficient amount of resource: ncpus"
RUN_LIMIT = "Not Running: User has reached queue running job limit."


class Node(NamedTuple):
    """A simulated node."""

    name: str
    cpus: int
    is_up: bool = True


class Decision(NamedTuple):
    """Which jobs start where, and why the others wait; by the numbers of the jobs."""

    placements: Mapping[int, tuple[Placement, ...]]
    waits: Mapping[int, str]


def decide(
    candidates: Sequence[Job],
    occupying: Sequence[Job],
    nodes: Sequence[Node],
    queues: Sequence[Queue],
    now_s: float,
) -> Decision:
    """Start jobs in the order given; a job that cannot start does not delay the jobs behind it."""
    free = {node.name: node.cpus for node in nodes if node.is_up}
    running = Counter((job.queue, job.owner) for job in occupying)
    for job in occupying:
        _take(free, job.placements)
    limits = {queue.name: queue.max_running_per_user for queue in queues}
    started: dict[int, tuple[Placement, ...]] = {}
    waits: dict[int, str] = {}
    for job in candidates:
        if job.state == HELD or (job.state == WAITING and job.not_before_s > now_s):
            continue
        reason = _never(job, nodes)
        limit = limits.get(job.queue)
        if not reason and limit is not None and running[job.queue, job.owner] >= limit:
            reason = RUN_LIMIT
        placements = None if reason else place(job, free)
        if placements is None:
            waits[job.number] = reason or TOO_FEW_NODES
            continue
        _take(free, placements)
        running[job.queue, job.owner] += 1
        started[job.number] = placements
    return Decision(started, waits)


def place(job: Job, free: Mapping[str, int]) -> tuple[Placement, ...] | None:
    """Find nodes for the pieces of a job, with ``scatter`` one for each; None if they do not fit."""
    left = dict(free)
    placements: list[Placement] = []
    for chunk in job.chunks:
        for _ in range(chunk.pieces):
            host = next((name for name, cpus in left.items() if cpus >= chunk.cpus), None)
            if host is None:
                return None
            placements.append(Placement(host, chunk.cpus, chunk.processes))
            if job.place == "scatter":
                del left[host]
            else:
                left[host] -= chunk.cpus
    return tuple(placements)


def _never(job: Job, nodes: Sequence[Node]) -> str:
    most = max((node.cpus for node in nodes), default=0)
    if any(chunk.cpus > most for chunk in job.chunks):
        return NEVER_ENOUGH_CPUS
    if place(job, {node.name: node.cpus for node in nodes}) is None:
        return NEVER_ENOUGH_NODES
    return ""


def _take(free: dict[str, int], placements: Sequence[Placement]) -> None:
    for placement in placements:
        if placement.host in free:
            free[placement.host] -= placement.cpus
