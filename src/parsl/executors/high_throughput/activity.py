"""What the driver knows of the connected managers without asking: the interchange tells when it changes."""

from __future__ import annotations

import threading
import time

from parsl.executors.blocks import BlockActivity
from parsl.executors.high_throughput.protocol import ManagerInfo


class ManagerActivity:
    """The interchange's latest word on every manager. Written by the client's I/O thread, read by any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._infos: dict[str, ManagerInfo] = {}
        self._told_at = time.monotonic()

    def __repr__(self) -> str:
        return f"<ManagerActivity managers={len(self._infos)}>"

    def replace(self, infos: list[ManagerInfo]) -> None:
        with self._lock:
            self._infos = {info.manager: info for info in infos}
            self._told_at = time.monotonic()

    def joined(self, info: ManagerInfo) -> None:
        with self._lock:
            self._infos = {**self._infos, info.manager: info}

    def gone(self, manager: str) -> None:
        with self._lock:
            self._infos = {name: info for name, info in self._infos.items() if name != manager}

    def infos(self) -> list[ManagerInfo]:
        return list(self._infos.values())

    def by_block(self) -> dict[str, BlockActivity]:
        """What the managers of each block do together."""
        with self._lock:
            infos, age_s = list(self._infos.values()), time.monotonic() - self._told_at
        blocks: dict[str, list[ManagerInfo]] = {}
        for info in infos:
            blocks.setdefault(info.block, []).append(info)
        return {block: _together(members, age_s) for block, members in blocks.items()}


def _together(infos: list[ManagerInfo], age_s: float) -> BlockActivity:
    tasks = sum(info.tasks for info in infos)
    return BlockActivity(
        managers=len(infos),
        workers=sum(info.workers for info in infos),
        tasks=tasks,
        idle_s=0.0 if tasks else min(info.idle_s for info in infos) + age_s,
    )
