"""The manager's side of the channel to a worker: its own end, and a duplicate of the worker's end."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Sequence

from parsl.executors.high_throughput.wire.protocol import INLINE_LIMIT, Result, Work, decode_work, encode
from parsl.executors.high_throughput.wire.worker_channel import Buffer, FrameCollector, fragments, make_pair


class WorkerLink:
    """The channel to one worker process, which never blocks the manager. It ends with that process."""

    __slots__ = ("incoming", "ours", "theirs", "waiting", "watches_output")

    def __init__(self) -> None:
        self.ours, self.theirs = make_pair()
        #: Packets that the socket does not accept yet, in order.
        self.waiting: deque[Buffer] = deque()
        #: A result whose frames are still arriving.
        self.incoming: tuple[Result, FrameCollector] | None = None
        self.watches_output = False

    def __repr__(self) -> str:
        return f"<WorkerLink unsent={len(self.waiting)}>"

    def send(self, work: Work, frames: Sequence[Buffer] = ()) -> None:
        """Send a task. What a dead worker does not receive is read back when its exit is reported."""
        body = work.body
        if body is not None and len(body) > INLINE_LIMIT:
            frames = [body, *frames]
            work = Work(work.task, None, len(body))
        try:
            if not frames and not self.waiting:
                try:
                    self.ours.send(encode(work))
                    return
                except BlockingIOError:
                    pass
            self.waiting.append(encode(work))
            self.waiting.extend(fragments(frames))
            self.flush()
        except OSError:
            pass

    def flush(self) -> bool:
        """Send waiting packets. Return whether none are left; OSError if the worker is dead."""
        while self.waiting:
            try:
                self.ours.send(self.waiting[0])
            except BlockingIOError:
                return False
            self.waiting.popleft()
        return True

    def read_back(self, buffer: bytearray) -> list[Work]:
        """Take back the packets that the worker has not read, oldest first."""
        unread = []
        view = memoryview(buffer)
        while True:
            try:
                size = self.theirs.recv_into(buffer, 0, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            if not size:
                break
            unread.append(decode_work(view[:size]))
        unread += [decode_work(packet) for packet in self.waiting]
        self.waiting.clear()
        return unread

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()
