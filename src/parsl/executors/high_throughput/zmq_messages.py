"""Sending and receiving our messages over ZeroMQ sockets: heads copied, large frames not."""

from __future__ import annotations

from typing import Any, Sequence

import zmq

#: Frames from this size on, in bytes, are handed to ZeroMQ without a copy.
COPY_LIMIT = 64 * 1024


def send(sock: zmq.Socket[bytes], parts: Sequence[Any]) -> None:
    """Send a multipart message without blocking.

    Raises: zmq.Again when the queue of the socket is full; zmq.ZMQError (EHOSTUNREACH) when nobody is there.
    """
    last = len(parts) - 1
    for i, part in enumerate(parts):
        flags = zmq.DONTWAIT | (zmq.SNDMORE if i < last else 0)
        large = i > 0 and memoryview(part).nbytes >= COPY_LIMIT
        sock.send(part, flags, copy=not large)


def receive(sock: zmq.Socket[bytes], heads: int) -> list[Any]:
    """Receive a multipart message without blocking.

    Args:
        heads: how many leading parts are wanted as bytes; the others come as memoryviews.

    Raises: zmq.Again when nothing has come.
    """
    parts: list[Any] = [sock.recv(zmq.DONTWAIT)]
    while sock.getsockopt(zmq.RCVMORE):
        if len(parts) < heads:
            parts.append(sock.recv(zmq.DONTWAIT))
        else:
            parts.append(sock.recv(zmq.DONTWAIT, copy=False).buffer)
    return parts
