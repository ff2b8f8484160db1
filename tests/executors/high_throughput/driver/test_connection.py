"""The connection's I/O thread: whatever ends it, no future is left waiting."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from parsl.executors.errors import ThreadLost
from parsl.executors.high_throughput.driver.connection import Connection
from parsl.executors.high_throughput.driver.tasks import HTEXFuture, TaskTable
from parsl.executors.high_throughput.errors import CommandClientBadError, InterchangeLost
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.message_stream import MessageStream
from parsl.executors.high_throughput.wire.protocol import DONE, Ready, Result, Results, Task, encode
from parsl.serialize.payloads import NONE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import WaitUntil

PATIENCE_S = 30


class Engine:
    """The owner of a connection, and the interchange's end of its socket."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.stream = MessageStream(theirs)
        self.losses: list[ThreadLost | None] = []
        self.is_lost = threading.Event()
        #: Handles the loss of the interchange like the executor.
        self.reason: Exception | None = None
        self.late: list[HTEXFuture] = []
        self.tasks = TaskTable()
        self.connection = Connection(ours, self.tasks, self, "few")
        self.connection.start()

    def handle_failures(self, failed: list[tuple[int, bytes]]) -> None:
        raise AssertionError("no task fails in these tests")

    def handle_event(self, message: Any) -> None:
        raise SystemExit("an unbearable event")

    def opening_messages(self, *, is_replacement: bool) -> list[bytes]:
        return []

    def replace_interchange(self) -> socket.socket | None:
        return None

    def handle_loss(self, error: ThreadLost | None) -> None:
        self.losses.append(error)
        if self.reason is not None:
            if not self.late:
                self.late.append(self.submit(2))
            self.tasks.fail_all(self.reason)
        self.is_lost.set()

    def submit(self, number: int) -> HTEXFuture:
        future = HTEXFuture(number, self.connection)
        if self.tasks.add(future, Task(number, b"", b""), [], None):
            self.connection.send_tasks()
        return future

    def send(self, message: Any) -> None:
        self.stream.queue([encode(message)])
        assert self.stream.flush()


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.connection.close(RuntimeError("shut down"), PATIENCE_S)
    engine.stream.sock.close()


def test_a_thread_that_fails_fails_all_tasks_with_the_reason(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    futures = [engine.submit(number) for number in range(1, 9)]
    engine.send(Ready(1))
    for future in futures:
        with pytest.raises(ThreadLost, match=r"'few-io', which sends tasks.*an unbearable event"):
            future.result(PATIENCE_S)
    [error] = engine.losses
    assert isinstance(error, ThreadLost)
    assert isinstance(error.__cause__, SystemExit)
    with pytest.raises(ThreadLost):
        engine.submit(9)
    assert "I/O thread of an executor has failed" in caplog.text
    with pytest.raises(CommandClientBadError):
        engine.connection.request("managers", PATIENCE_S)


def test_an_invalid_message_fails_all_tasks(engine: Engine) -> None:
    future = engine.submit(1)
    engine.send(protocol.Refused("a message that is not for the driver"))
    with pytest.raises(ThreadLost, match="ValidationError"):
        future.result(PATIENCE_S)


def test_tasks_before_and_during_the_loss_of_the_interchange_fail_with_the_cause_and_later_ones_are_refused(
    engine: Engine, wait_until: WaitUntil
) -> None:
    engine.reason = InterchangeLost("for this reason")
    early = engine.submit(1)
    engine.stream.sock.close()
    assert engine.is_lost.wait(PATIENCE_S)
    for future in (early, *engine.late):
        with pytest.raises(InterchangeLost, match="for this reason"):
            future.result(PATIENCE_S)
    wait_until(lambda: engine.losses == [None, None], PATIENCE_S)
    with pytest.raises(InterchangeLost, match="accepts no more tasks"):
        engine.submit(3)


def test_a_callback_that_exits_does_not_end_the_thread(engine: Engine) -> None:
    first, second = engine.submit(1), engine.submit(2)
    first.add_done_callback(lambda _: exit(3))
    engine.send(Results([Result(1, DONE, NONE), Result(2, DONE, NONE)]))
    assert second.result(PATIENCE_S) is None
    assert engine.losses == []
