"""A worker's channel as the manager holds it: its own end, and a duplicate of the worker's."""

from __future__ import annotations

import socket

from parsl.executors.high_throughput.manager.state import Slot
from parsl.executors.high_throughput.wire.protocol import INLINE_LIMIT, Result, Work, decode_work, encode
from parsl.executors.high_throughput.wire.worker_channel import (
    Buffer,
    FrameCollector,
    PacketSender,
    make_pair,
)


class WorkerLink:
    """The channel to the worker in one slot; lives and dies with that worker."""

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self.ours, self.theirs = make_pair()
        self.sender = PacketSender(self.ours)
        #: A large result that is coming in.
        self.incoming: tuple[Result, FrameCollector] | None = None
        self.watches_output = False

    def __repr__(self) -> str:
        return f"<WorkerLink {self.slot!r} unsent={len(self.sender.waiting)}>"

    def send(self, work: Work, frames: list[Buffer]) -> None:
        body = work.body
        if body is not None and len(body) > INLINE_LIMIT:
            frames = [body, *frames]
            work = Work(work.task, None, len(body))
        try:
            self.sender.send(encode(work), frames)
        except OSError:
            pass  # the worker is dead; the fork server is about to say so

    def read_back(self, buffer: bytearray) -> list[Work]:
        """Take the packets that the worker has not begun, oldest first."""
        unbegun = []
        view = memoryview(buffer)
        while True:
            try:
                size = self.theirs.recv_into(buffer, 0, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            if not size:
                break
            unbegun.append(decode_work(view[:size]))
        unbegun += [decode_work(packet) for packet in self.sender.waiting]
        self.sender.waiting.clear()
        return unbegun

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()
