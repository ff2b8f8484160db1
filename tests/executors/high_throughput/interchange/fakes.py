"""Managers and a driver for tests of the interchange's parts."""

from __future__ import annotations

import select
import socket
from collections.abc import Sequence
from typing import Any

from parsl.executors.high_throughput.interchange.driver_link import DriverLink
from parsl.executors.high_throughput.interchange.links import Link
from parsl.executors.high_throughput.interchange.manager import Manager
from parsl.executors.high_throughput.interchange.state import InterchangeState
from parsl.executors.high_throughput.wire.message_stream import MessageStream
from parsl.executors.high_throughput.wire.protocol import Register, decode_to_driver, decode_to_manager


class FakeLink(Link):
    """Records the messages to a manager."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Any] = []

    def identify(self, identity: bytes) -> bool:
        self.identity = identity
        return True

    def send(self, parts: list[Any]) -> None:
        self.sent.append(decode_to_manager(parts[0]))


class FakeDriver:
    """The driver's end of its connection to the interchange."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self._stream = MessageStream(ours)
        self._epoll = select.epoll()
        self.link = DriverLink(MessageStream(theirs), self._epoll)

    def messages(self, now_s: float = 0.0) -> list[Any]:
        """Return the interchange's messages since the last call."""
        self.link.flush(now_s)
        return self.received()

    def received(self) -> list[Any]:
        return [decode_to_driver(frames[0]) for frames in self._stream.receive()]


def register(
    name: str,
    workers: int = 2,
    prefetch: int = 0,
    block: str = "0",
    held: Sequence[int] = (),
    host: str = "host",
    **options: Any,
) -> Register:
    """Return a registration."""
    return Register(1, name, "v", "3", host, block, 1, workers, workers + prefetch, list(held), **options)


def join(state: InterchangeState, registration: Register, now_s: float = 0.0) -> Manager:
    """Register a manager and announce it to the driver."""
    return join_and_compare(state, registration, now_s)[0]


def join_and_compare(
    state: InterchangeState, registration: Register, now_s: float = 0.0
) -> tuple[Manager, list[int]]:
    """Register a manager and announce it.

    Returns:
        The manager, and the unknown task ids in its registration.
    """
    manager, unknown = state.register(registration, FakeLink(), now_s)
    state.announced(manager)
    return manager, unknown


def given(state: InterchangeState, now_s: float = 0.0) -> dict[bytes, list[int]]:
    """Match tasks and managers.

    Returns:
        The ids of the tasks that each manager gets.
    """
    return {manager.identity: [task.id for task in tasks] for manager, tasks in state.match(now_s)}
