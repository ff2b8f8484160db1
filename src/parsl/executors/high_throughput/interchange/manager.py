"""Registered managers: everything that the interchange knows about each, and when it gets a heartbeat."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import Any, NamedTuple

from parsl.common.descriptors import too_many_managers
from parsl.executors.high_throughput.interchange.links import Link
from parsl.executors.high_throughput.interchange.node_use import NodeUse
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.protocol import Register, Result, Results, Task
from parsl.executors.high_throughput.wire.settings import InterchangeSettings

#: A manager that is lost with less time left (seconds) was lost because its job ended: some schedulers
#: send no signal.
JOB_END_MARGIN_S = 15.0
#: A connection that is reported to be closed is probed at once, and again after this time (seconds): the
#: report may come too early.
PROBE_AGAIN_S = 0.25
#: How many managers get a heartbeat before tasks and results have their turn again.
AT_ONCE = 64


#: The keys of the records that upstream gives to manager selectors, and the attributes of a manager. Times
#: are on the interchange's clock.
_KEYS = {
    "active": "takes_tasks",
    "block_id": "block",
    "draining": "draining",
    "hostname": "host",
    "idle_since": "idle_since",
    "last_heartbeat": "last_heard_s",
    "max_capacity": "capacity",
    "parsl_version": "parsl_version",
    "python_version": "python_version",
    "tasks": "held",
    "uid": "name",
    "worker_count": "workers",
}


class Recount(Enum):
    """Whether a manager has to report the tasks it holds, because some may be lost in transit."""

    NOT_NEEDED = 0
    NEEDED = 1
    #: Until the manager replies it gets no tasks, so that its report is exact.
    REQUESTED = 2


class Manager:
    """A manager with its connection, its tasks and its health. Owned by the interchange's loop.

    Users' manager selectors receive these objects, and read them like dictionaries: `manager["block_id"]`.
    """

    def __init__(self, register: Register, link: Link, now_s: float) -> None:
        self.name = register.manager
        #: The name as the interchange's tables and ZeroMQ have it.
        self.identity = register.manager.encode()
        self.link = link
        #: See `Welcome.number`; -1 until the manager has one.
        self.number = register.number
        self.block = register.block
        self.host = register.host
        self.parsl_version = register.parsl_version
        self.python_version = register.python_version
        #: Installed distributions and their versions, once the manager has reported them.
        self.packages: dict[str, str] | None = None
        #: No longer registered: other objects may still refer to this one, and skip it.
        self.is_gone = False

        self.workers = register.workers
        #: How many tasks the manager can hold, and how many its node is trusted with.
        self.capacity = register.capacity
        self.max_tasks = sys.maxsize
        #: Nodes that the manager can give to tasks, and those that tasks have.
        self.nodes = register.nodes
        self.node_use = NodeUse()
        #: How many more tasks the manager will start; None for any number.
        self.launches = register.launches
        #: When the job ends, on the interchange's clock; infinity if unknown.
        self.ends_at_s = float("inf") if register.ends_in_s is None else now_s + register.ends_in_s

        #: The tasks that the manager holds, and the functions that it has.
        self.held: set[int] = set()
        self.functions: set[bytes] = set()
        self.idle_since: float | None = now_s

        #: Whether the driver knows the manager. A replacement interchange waits for the managers that the
        #: driver names, so a manager gets no tasks before that.
        self.is_announced = False
        self.draining = register.draining
        #: Whether the block is about to be cancelled.
        self.is_on_hold = False
        #: The serial numbers up to which its results have arrived without a gap, and have reached the driver.
        self.received = self.written = register.acknowledged

        self.last_heard_s = now_s
        self.disconnected_since_s: float | None = None
        self.recount = Recount.NOT_NEEDED
        #: Number of the latest request for a recount.
        self.recount_number = 0

    def __repr__(self) -> str:
        return f"<Manager {self.name} block={self.block} workers={self.workers} held={len(self.held)}>"

    def __getitem__(self, key: str) -> Any:
        if key == "tasks":
            return list(self.held)
        if key not in _KEYS:
            raise KeyError(key)
        return getattr(self, _KEYS[key])

    def get(self, key: str, default: Any = None) -> Any:
        """Return ``manager[key]`` if there is such a key."""
        return self[key] if key in _KEYS else default

    def keys(self) -> Iterable[str]:
        """Return the keys of ``manager[...]``; with them, ``dict(manager)`` works."""
        return _KEYS.keys()

    def __iter__(self) -> Iterator[str]:
        return iter(_KEYS)

    def __contains__(self, key: object) -> bool:
        return key in _KEYS

    @property
    def takes_tasks(self) -> bool:
        is_known = self.is_announced and self.recount is Recount.NOT_NEEDED
        return is_known and self.is_connected and not self.is_leaving

    @property
    def is_connected(self) -> bool:
        """Whether the connection is open, as far as is known."""
        return self.disconnected_since_s is None

    @property
    def is_leaving(self) -> bool:
        """Whether the manager accepts no more tasks, ever or for the time being."""
        return self.draining or self.is_on_hold

    @property
    def room(self) -> int:
        return min(self.capacity, self.max_tasks) - len(self.held) if self.takes_tasks else 0

    @property
    def free_workers(self) -> int:
        return min(self.workers, self.max_tasks) - len(self.held) if self.takes_tasks else 0

    @property
    def free_nodes(self) -> int:
        return self.nodes - self.node_use.count

    def left_s(self, now_s: float) -> float:
        return self.ends_at_s - now_s

    def info(self, now_s: float) -> protocol.ManagerInfo:
        return protocol.ManagerInfo(
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
            number=self.number,
        )

    def hold(self, tasks: Sequence[Task]) -> None:
        if tasks:
            self.held.update([task.id for task in tasks])
            self.idle_since = None
            if self.nodes:
                for task in tasks:
                    self.node_use.add(task)

    def release(self, ids: Iterable[int]) -> None:
        self.held.difference_update(ids)
        if self.nodes:
            self.node_use.remove(ids)

    def finish(self, message: Results, now_s: float) -> list[Result]:
        """Take results, and return those of tasks that the manager holds.

        Any other result has come before, or is not this manager's to deliver.
        """
        if message.serial == self.received + 1:
            self.received = message.serial
        results = message.results
        ids = [result.id for result in results]
        if not self.held.issuperset(ids):
            results = [result for result in results if result.id in self.held]
            ids = [result.id for result in results]
        self.release(ids)
        self.capacity = message.capacity
        if not self.held and self.idle_since is None:
            self.idle_since = now_s
        return results

    def take_over(self, before: Manager, reported: Iterable[int]) -> None:
        """Continue for the same manager `before` it registered again, now reporting these tasks."""
        self.held |= before.held
        self.node_use.update(before.node_use)
        if self.held:
            self.idle_since = None
        if self.launches is not None:
            self.launches -= len(before.held.difference(reported))  # in transit, so not counted yet
        self.recount = Recount.NEEDED
        self.recount_number = before.recount_number

    def failure(self, what: str, **details: Any) -> protocol.Failure:
        """Describe why tasks fail: `what` completes "Manager NAME on host HOST, block BLOCK, ..."."""
        return protocol.Failure(
            kind=protocol.MANAGER_LOST,
            message=f"Manager {self.name} on host {self.host}, block {self.block}, {what}.",
            host=self.host,
            block=self.block,
            manager=self.name,
            **details,
        )

    def heard(self, now_s: float) -> None:
        """Record a message from the manager. After an interruption it has to report the tasks it holds."""
        self.last_heard_s = now_s
        if self.disconnected_since_s is not None:
            self.disconnected_since_s = None
            self.recount = Recount.NEEDED

    def lose_contact(self, now_s: float) -> bool:
        """Record that the connection is closed, and return whether that was unknown before."""
        if self.is_gone or self.disconnected_since_s is not None:
            return False
        self.disconnected_since_s = now_s
        return True

    def interrupted(self) -> None:
        """Record that the connection has broken and is there again, perhaps unnoticed on this side."""
        self.link.forget_connection()
        self.recount = Recount.NEEDED

    def request_recount(self) -> int:
        """Record a request to report the tasks that the manager holds, and return its number."""
        self.recount = Recount.REQUESTED
        self.recount_number += 1
        return self.recount_number

    def is_awaited(self, number: int) -> bool:
        """Whether the report of that number counts; an earlier one misses tasks that were sent after it."""
        return self.recount is Recount.REQUESTED and number == self.recount_number

    def recounted(self, reported: Iterable[int]) -> list[int]:
        """Take a report of the tasks that the manager holds, and return those that were lost in transit."""
        lost = self.held.difference(reported)
        self.release(lost)
        self.functions.clear()  # they may be lost as well
        if self.launches is not None:
            self.launches += len(lost)  # the manager counts only the tasks that it has received
        self.recount = Recount.NOT_NEEDED
        return sorted(lost)


class Refusal(NamedTuple):
    """Why a manager is refused: for its job's output, and for the driver if the configuration is to blame."""

    reason: str
    report: protocol.ManagerRefused | None = None


def check_registration(
    message: Register, settings: InterchangeSettings, managers: int, max_managers: int
) -> Refusal | None:
    """Return why a manager is refused, given the number of other managers; None if it is admitted."""
    ours = (protocol.PROTOCOL_VERSION, settings.parsl_version, settings.python_version)
    theirs = (message.protocol, message.parsl_version, message.python_version)
    if _as_compared(*ours) != _as_compared(*theirs):
        named, other = _named(*ours), _named(*theirs)
        reason = f"this manager runs {other}, its driver {named}; start both from the same environment"
        return Refusal(reason, protocol.ManagerRefused(message.host, message.block, named, other))
    if managers >= max_managers:
        return Refusal(too_many_managers(max_managers))
    return None


def _as_compared(wire: int, parsl: str, python: str) -> tuple[int, str, list[str]]:
    """Return the versions of a process as far as they have to agree: any patch release of Python will do."""
    return wire, parsl, python.split(".")[:2]


def _named(wire: int, parsl: str, python: str) -> str:
    return f"parsl {parsl} (protocol {wire}) on Python {python}"


class HeartbeatSchedule:
    """Decides when each manager gets a heartbeat. Owned by the interchange's loop; has no clock."""

    def __init__(self, period_s: float, now_s: float) -> None:
        self._period_s = period_s
        self._next_s = now_s + period_s
        #: Managers whose turn it is.
        self._waiting: deque[Manager] = deque()
        #: Managers to probe once more, and when.
        self._probed: deque[tuple[float, Manager]] = deque()

    def __repr__(self) -> str:
        return f"<HeartbeatSchedule waiting={len(self._waiting)} probed={len(self._probed)}>"

    @property
    def due_s(self) -> float:
        """When the next heartbeats must be sent; in the past for at once."""
        if self._waiting:
            return float("-inf")
        return min(self._next_s, self._probed[0][0]) if self._probed else self._next_s

    def probe(self, manager: Manager, now_s: float) -> None:
        """Send a heartbeat at once and again a little later: the connection is reported to be closed."""
        self._waiting.appendleft(manager)
        self._probed.append((now_s + PROBE_AGAIN_S, manager))

    def take(self, managers: Iterable[Manager], now_s: float) -> list[Manager]:
        """Return the managers that get a heartbeat now, only a few at a time."""
        if now_s >= self._next_s:
            self._next_s = now_s + self._period_s
            self._waiting.extend(managers)
        while self._probed and now_s >= self._probed[0][0]:
            self._waiting.appendleft(self._probed.popleft()[1])
        turn = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
        return [manager for manager in turn if not manager.is_gone]
