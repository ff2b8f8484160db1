"""The client's I/O thread: whatever ends it, no future is left waiting."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from parsl.executors.errors import ThreadLost
from parsl.executors.high_throughput.driver.client import HTEXFuture, InterchangeClient
from parsl.executors.high_throughput.errors import CommandClientBadError, InterchangeLost
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.message_stream import MessageStream
from parsl.executors.high_throughput.wire.protocol import DONE, Ready, Result, Results, Task, encode
from parsl.serialize.payloads import NONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import WaitUntil

PATIENCE_S = 30


class Ends:
    """A client, the interchange's end of its socket, and what the client has said."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.stream = MessageStream(theirs)
        self.lost: list[ThreadLost | None] = []
        self.is_lost = threading.Event()
        #: Called when the client says that it has lost the interchange.
        self.on_lost: Callable[[], None] = lambda: None
        self.client = InterchangeClient(ours, self._take, self._note_lost, "few")
        self.client.start()

    def _take(self, message: Any) -> None:
        raise SystemExit("an event that nobody can bear")

    def _note_lost(self, error: ThreadLost | None) -> None:
        self.lost.append(error)
        self.on_lost()
        self.is_lost.set()

    def submit(self, number: int) -> HTEXFuture:
        future = HTEXFuture(number, self.client)
        self.client.submit(future, Task(number, b"", b""), [], None)
        return future

    def send(self, message: Any) -> None:
        self.stream.queue([encode(message)])
        assert self.stream.flush()


@pytest.fixture
def ends() -> Iterator[Ends]:
    ends = Ends()
    yield ends
    ends.client.close(RuntimeError("shut down"), PATIENCE_S)
    ends.stream.sock.close()


def test_a_thread_that_cannot_go_on_fails_all_tasks_and_says_why(
    ends: Ends, caplog: pytest.LogCaptureFixture
) -> None:
    futures = [ends.submit(number) for number in range(1, 9)]
    ends.send(Ready(1))
    for future in futures:
        with pytest.raises(ThreadLost, match=r"'few-io', which sends tasks.*nobody can bear"):
            future.result(PATIENCE_S)
    [error] = ends.lost
    assert isinstance(error, ThreadLost)
    assert isinstance(error.__cause__, SystemExit)
    with pytest.raises(ThreadLost):
        ends.submit(9)
    assert "I/O thread of an executor has failed" in caplog.text
    with pytest.raises(CommandClientBadError):
        ends.client.ask("managers", PATIENCE_S)


def test_what_is_no_message_fails_all_tasks(ends: Ends) -> None:
    future = ends.submit(1)
    ends.send(protocol.Refused("a message that is not for the driver"))
    with pytest.raises(ThreadLost, match="ValidationError"):
        future.result(PATIENCE_S)


def test_no_task_is_taken_once_the_interchange_is_gone_and_none_before_is_without_the_cause(
    ends: Ends, wait_until: WaitUntil
) -> None:
    late: list[HTEXFuture] = []

    def find_out_why() -> None:
        if not late:
            late.append(ends.submit(2))
        ends.client.fail_all(InterchangeLost("for this reason"))

    ends.on_lost = find_out_why
    early = ends.submit(1)
    ends.stream.sock.close()
    assert ends.is_lost.wait(PATIENCE_S)
    for future in (early, *late):
        with pytest.raises(InterchangeLost, match="for this reason"):
            future.result(PATIENCE_S)
    wait_until(lambda: ends.lost == [None, None], PATIENCE_S)
    with pytest.raises(InterchangeLost, match="nobody takes tasks"):
        ends.submit(3)


def test_a_callback_that_exits_ends_nothing(ends: Ends) -> None:
    first, second = ends.submit(1), ends.submit(2)
    first.add_done_callback(lambda _: exit(3))
    ends.send(Results([Result(1, DONE, NONE), Result(2, DONE, NONE)]))
    assert second.result(PATIENCE_S) is None
    assert ends.lost == []
