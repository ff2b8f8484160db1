"""The manager's loop, with a scripted interchange and a pool without workers."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from parsl.executors.high_throughput.manager.long_tasks import LongTasks
from parsl.executors.high_throughput.manager.loop import Manager
from parsl.executors.high_throughput.manager.watcher import Watcher
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.connections import Connection
from parsl.executors.high_throughput.wire.protocol import decode_from_manager, encode
from parsl.executors.high_throughput.wire.settings import ManagerSettings
from tests.executors.high_throughput.interchange.test_restoration import register

HELD = protocol.Task(7, b"", b"")


class ScriptedConnection(Connection):
    """Three interchanges in one: the second is lost just after it has dispatched a task."""

    def __init__(self) -> None:
        super().__init__()
        self.registrations: list[protocol.Register] = []
        self._messages: deque[Any] = deque([protocol.Reregister()])
        self._is_broken = False
        self._never, self._never_write = os.pipe()
        self._alarm, self._alarm_write = os.pipe()

    def fileno(self) -> int:
        return self._never

    def alarm_fileno(self) -> int:
        return self._alarm

    def was_interrupted(self) -> bool:
        if not self._is_broken:
            return False
        self._is_broken = False
        os.read(self._alarm, 1)
        # They arrived together with the report of the break. The first replies to an earlier message.
        self._messages += [protocol.Reregister(), protocol.Welcome(1.0), protocol.Tasks([HELD], {}, 0)]
        return True

    def send(self, parts: Any) -> None:
        message = decode_from_manager(bytes(parts[0]))
        if isinstance(message, protocol.Register):
            self.registrations.append(message)
            if len(self.registrations) == 1:
                self._is_broken = True
                os.write(self._alarm_write, b"!")
            else:
                self._messages.append(protocol.Stop("the end of the script"))
        elif isinstance(message, protocol.Interrupted):
            self._messages.append(protocol.Reregister())

    def receive(self) -> list[list[Any]]:
        found = [[encode(message)] for message in self._messages]
        self._messages.clear()
        return found

    def has_input(self) -> bool:
        return bool(self._messages)

    def flush(self) -> None:
        pass

    def close(self, timeout_s: float) -> None:
        for fd in (self._never, self._never_write, self._alarm, self._alarm_write):
            os.close(fd)


class NoDeferred(tuple[()]):
    """No deferred failures of tasks."""

    until_s = float("inf")


@pytest.fixture
def unchanged_signals() -> Iterator[None]:
    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    yield
    signal.set_wakeup_fd(-1)
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.usefixtures("unchanged_signals")
def test_a_registration_after_a_break_includes_the_tasks_that_arrived_before_it() -> None:
    held: list[int] = []
    pool: Any = SimpleNamespace(
        state=SimpleNamespace(workers=[], capacity=2, held=held, next_deadline=lambda: None),
        results=[], frames=[], deferred=NoDeferred(), memory_limit=None, launches_left=None,
        start=lambda: None, close=lambda: None, refill=lambda: None, enforce_limits=lambda now: None,
        accept=lambda tasks, functions, frames: held.extend(task.id for task in tasks),
        held_ids=lambda: list(held), running_s=lambda now: {}, long_tasks=LongTasks(), resource_sampler=None,
    )  # fmt: skip
    connection = ScriptedConnection()
    settings = ManagerSettings(addresses=[], port=0, heartbeat_period_s=60.0, heartbeat_threshold_s=120.0)
    assert Manager(register("a"), settings, connection, pool, Watcher()).run() == 0
    assert [message.held for message in connection.registrations] == [[], [7]]
