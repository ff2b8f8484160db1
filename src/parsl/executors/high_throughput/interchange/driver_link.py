"""The interchange's connection to the driver: what piles up in a turn of the loop goes out together."""

from __future__ import annotations

import select
from collections.abc import Sequence
from typing import Any

from parsl.executors.high_throughput.wire.message_stream import MessageStream
from parsl.executors.high_throughput.wire.protocol import Result, Results, encode


class DriverLink:
    """Owned by the interchange's loop, whose epoll watches it.

    Args:
        stream: the socket that the driver has the other end of.
        epoll: the loop's.
    """

    def __init__(self, stream: MessageStream, epoll: select.epoll) -> None:
        self._stream = stream
        self._epoll = epoll
        self._results: list[Result] = []
        self._frames: list[Any] = []
        self._watches_output = False
        epoll.register(stream.fileno(), select.EPOLLIN)

    def __repr__(self) -> str:
        return f"<DriverLink {self._stream!r} results={len(self._results)}>"

    def fileno(self) -> int:
        return self._stream.fileno()

    def say(self, message: Any) -> None:
        """Send a message with the next flush."""
        self._stream.queue([encode(message)])

    def bring(self, results: Sequence[Result], frames: Sequence[Any] = ()) -> None:
        """Send results, and their frames, with the next flush after they are sealed."""
        self._results += results
        self._frames += frames

    def receive(self) -> list[list[Any]]:
        """The messages that have come.

        Raises: EOFError, OSError when the driver is gone.
        """
        if self._watches_output:
            self.flush()
        return self._stream.receive()

    def seal(self) -> int:
        """Put results in line for writing. Returns: where in the stream all that was said so far ends."""
        if self._results:
            results, self._results = self._results, []
            frames, self._frames = self._frames, []
            self._stream.queue([encode(Results(results)), *frames])
        return self._stream.queued_bytes

    @property
    def written(self) -> int:
        """Up to where the stream has been written."""
        return self._stream.written_bytes

    def flush(self) -> None:
        """Write what there is room for of what is in line.

        Raises: OSError when the driver is gone.
        """
        is_done = self._stream.flush()
        if is_done == self._watches_output:
            self._watches_output = not is_done
            self._epoll.modify(self._stream.fileno(), select.EPOLLIN | (0 if is_done else select.EPOLLOUT))
