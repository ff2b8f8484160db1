"""What the driver knows about the connected managers without a request: the interchange reports changes."""

from __future__ import annotations

import math
import threading
import time
from typing import Any

from parsl.executors.blocks.views import BlockActivity
from parsl.executors.high_throughput.wire.protocol import ManagerInfo


class ManagerActivity:
    """The latest report about every connected manager. The I/O thread writes it, any thread reads it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: The report about each manager, and when it arrived.
        self._reports: dict[str, tuple[ManagerInfo, float]] = {}
        #: How many tasks wait that no connected manager has the time for, but a new block would.
        self.without_time = 0

    def __repr__(self) -> str:
        return f"<ManagerActivity managers={len(self._reports)}>"

    def replace(self, infos: list[ManagerInfo], without_time: int = 0) -> bool:
        """Replace all reports, and return whether more tasks wait for time than before."""
        now = time.monotonic()
        reports = {info.manager: (info, now) for info in infos}
        with self._lock:
            self._reports = reports
            has_risen = without_time > self.without_time
            self.without_time = without_time
        return has_risen

    def joined(self, info: ManagerInfo) -> None:
        with self._lock:
            self._reports[info.manager] = info, time.monotonic()
            self.without_time = 0  # the manager may have the time; if not, the next report has a number

    def gone(self, manager: str) -> None:
        with self._lock:
            self._reports.pop(manager, None)

    def infos(self) -> list[ManagerInfo]:
        with self._lock:
            return [info for info, _ in self._reports.values()]

    def by_block(self) -> dict[str, BlockActivity]:
        with self._lock:
            reports = list(self._reports.values())
        now = time.monotonic()
        blocks: dict[str, BlockActivity] = {}
        for info, reported_s in reports:
            block = blocks.get(info.block, BlockActivity(0, 0, 0, math.inf))
            workers, tasks = block.workers + info.workers, block.tasks + info.tasks
            idle_s = 0.0 if tasks else min(block.idle_s, info.idle_s + now - reported_s)
            blocks[info.block] = BlockActivity(block.managers + 1, workers, tasks, idle_s)
        return blocks


def as_dict(info: ManagerInfo) -> dict[str, Any]:
    """Return a report under the names that `connected_managers()` uses."""
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
