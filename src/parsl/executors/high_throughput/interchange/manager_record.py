"""What the interchange knows of one manager."""

from __future__ import annotations

import sys
from enum import Enum
from typing import Any

from parsl.executors.high_throughput.wire.protocol import ManagerInfo, Register


class Recount(Enum):
    """Whether a manager has to say which tasks it holds, because some may be lost on the way to it."""

    NOT_NEEDED = 0
    WANTED = 1
    #: It was asked; until it answers it gets no tasks, so that its answer is exact.
    ASKED = 2


class ManagerRecord:
    """One registered manager: its size, what it holds, and when it was heard of.

    Users' manager selectors get these; `record['block_id']` style access works as well.
    """

    __slots__ = (
        "block",
        "capacity",
        "draining",
        "ends_at_s",
        "functions",
        "heard_at",
        "held",
        "host",
        "idle_since",
        "is_announced",
        "most_tasks",
        "name",
        "nodes",
        "on_hold",
        "parsl_version",
        "python_version",
        "question",
        "received",
        "recount",
        "unreachable_since",
        "workers",
        "written",
    )

    def __init__(self, register: Register, now_s: float) -> None:
        self.name = register.manager
        self.block = register.block
        self.host = register.host
        self.workers = register.workers
        self.nodes = register.nodes
        self.capacity = register.capacity
        self.parsl_version = register.parsl_version
        self.python_version = register.python_version
        self.draining = register.draining
        self.held: set[int] = set()
        self.functions: set[bytes] = set()
        self.heard_at = now_s
        self.idle_since: float | None = now_s
        #: The driver knows of it: should this interchange be lost, the next one waits for this manager.
        self.is_announced = True
        #: Up to which serial number its results have come without a gap, and have got to the driver.
        self.received = self.written = register.acknowledged
        #: When its job will be ended, on the caller's clock; infinity if nobody knows.
        self.ends_at_s = float("inf") if register.ends_in_s is None else now_s + register.ends_in_s
        #: The block is about to be given back.
        self.on_hold = False
        #: How many tasks its node is trusted with.
        self.most_tasks = sys.maxsize
        #: Since when its connection has been closed, if it is.
        self.unreachable_since: float | None = None
        self.recount = Recount.NOT_NEEDED
        #: Number of the latest question for what it holds.
        self.question = 0

    def __repr__(self) -> str:
        return f"<ManagerRecord {self.name} block={self.block} workers={self.workers} held={len(self.held)}>"

    def __getitem__(self, key: str) -> Any:
        names = {"block_id": "block", "worker_count": "workers", "tasks": "held", "hostname": "host"}
        try:
            return getattr(self, names.get(key, key))
        except AttributeError:
            raise KeyError(key) from None

    @property
    def takes_tasks(self) -> bool:
        return not (
            self.is_leaving
            or not self.is_announced
            or not self.is_here
            or self.recount is not Recount.NOT_NEEDED
        )

    @property
    def is_here(self) -> bool:
        """Whether its connection is open, as far as is known."""
        return self.unreachable_since is None

    @property
    def is_leaving(self) -> bool:
        """Whether it takes no more tasks, ever or for the time being."""
        return self.draining or self.on_hold

    def ask(self) -> int:
        """It is asked which tasks it holds. Returns: the number of the question."""
        self.recount = Recount.ASKED
        self.question += 1
        return self.question

    def is_awaited(self, number: int) -> bool:
        """Whether the answer to this question is the one that counts.

        An answer to an earlier one may have been given before tasks came that were sent since.
        """
        return self.recount is Recount.ASKED and number == self.question

    @property
    def room(self) -> int:
        """How many more tasks it wants."""
        return min(self.capacity, self.most_tasks) - len(self.held) if self.takes_tasks else 0

    @property
    def free_workers(self) -> int:
        """How many of its workers have no task."""
        return min(self.workers, self.most_tasks) - len(self.held) if self.takes_tasks else 0

    def left_s(self, now_s: float) -> float:
        """How much time it has, in seconds."""
        return self.ends_at_s - now_s

    def info(self, now_s: float) -> ManagerInfo:
        return ManagerInfo(
            manager=self.name,
            block=self.block,
            host=self.host,
            workers=self.workers,
            tasks=len(self.held),
            idle_s=0.0 if self.idle_since is None else now_s - self.idle_since,
            active=self.takes_tasks,
            draining=self.draining,
            parsl_version=self.parsl_version,
            python_version=self.python_version,
            nodes=self.nodes,
            ends_in_s=None if self.ends_at_s == float("inf") else self.left_s(now_s),
        )
