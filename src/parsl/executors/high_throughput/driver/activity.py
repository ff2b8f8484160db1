"""What the driver knows of the connected managers without asking: the interchange tells when it changes."""

from __future__ import annotations

import threading
import time
from typing import Any

from parsl.executors.blocks.views import BlockActivity
from parsl.executors.high_throughput.wire.protocol import ManagerInfo


class ManagerActivity:
    """The interchange's latest word on every manager. Written by the client's I/O thread, read by any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: What was said of each manager, and when.
        self._told: dict[str, tuple[ManagerInfo, float]] = {}
        #: How many tasks wait that none of them has the time for, but a new block would.
        self.without_time = 0

    def __repr__(self) -> str:
        return f"<ManagerActivity managers={len(self._told)}>"

    def replace(self, infos: list[ManagerInfo], without_time: int = 0) -> bool:
        """These are all managers that there are.

        Args:
            infos: what is said of each.
            without_time: how many tasks wait that none of them has the time for.

        Returns: whether more tasks wait so than before.
        """
        now = time.monotonic()
        told = {info.manager: (info, now) for info in infos}
        with self._lock:
            self._told = told
            has_risen = without_time > self.without_time
            self.without_time = without_time
        return has_risen

    def joined(self, info: ManagerInfo) -> None:
        """A manager has come."""
        with self._lock:
            self._told[info.manager] = info, time.monotonic()
            self.without_time = 0  # it may have the time; if it has not, that is told soon

    def gone(self, manager: str) -> None:
        """A manager has left."""
        with self._lock:
            self._told.pop(manager, None)

    def infos(self) -> list[ManagerInfo]:
        """What was said last of each manager."""
        with self._lock:
            return [info for info, _ in self._told.values()]

    def by_block(self) -> dict[str, BlockActivity]:
        """What the managers of each block do together."""
        with self._lock:
            told = list(self._told.values())
        now = time.monotonic()
        blocks: dict[str, list[tuple[ManagerInfo, float]]] = {}
        for info, moment in told:
            blocks.setdefault(info.block, []).append((info, now - moment))
        return {block: _together(members) for block, members in blocks.items()}


def _together(members: list[tuple[ManagerInfo, float]]) -> BlockActivity:
    """Args: members: what was said of each manager, and how many seconds ago."""
    tasks = sum(info.tasks for info, _ in members)
    return BlockActivity(
        managers=len(members),
        workers=sum(info.workers for info, _ in members),
        tasks=tasks,
        idle_s=0.0 if tasks else min(info.idle_s + age_s for info, age_s in members),
    )


def as_dict(info: ManagerInfo) -> dict[str, Any]:
    """What a manager is doing, in the words of `connected_managers()`."""
    return {
        "manager": info.manager,
        "block_id": info.block,
        "hostname": info.host,
        "worker_count": info.workers,
        "tasks": info.tasks,
        "idle_duration": info.idle_s,
        "active": info.active,
        "draining": info.draining,
        "parsl_version": info.parsl_version,
        "python_version": info.python_version,
    }
