"""The executor's end of the connections with its blocks: encrypted, and open to holders of its keys only."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec
import zmq

from parsl.curvezmq import ServerContext, create_certificates
from parsl.executors.flux.protocol import (
    HEARTBEAT_PERIOD_S,
    FromBlock,
    ToBlock,
    decode_from_block,
    encode,
)

logger = logging.getLogger(__name__)

#: Called with the sender's identity, its message, and the frames that follow it.
Receiver: TypeAlias = Callable[[bytes, FromBlock, Sequence[bytes]], None]


class Link:
    """Receives in a thread of its own, and sends from any thread.

    Args:
        directory: For the keys.
        address: The address to bind, such as ``127.0.0.1``; ``*`` for all.
        receive: Is called in the link's thread; must not wait.
        beat: Is called in the link's thread about every HEARTBEAT_PERIOD_S; must not wait.
    """

    def __init__(self, directory: Path, address: str, receive: Receiver, beat: Callable[[], None]) -> None:
        self._receive = receive
        self._beat = beat
        self.cert_dir = create_certificates(directory)
        self._context = ServerContext(self.cert_dir)
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.linger = 1000
        self._socket.router_mandatory = True
        self._socket.sndhwm = 0  # else the thread would wait for a block that is slow to receive
        self.port = self._socket.bind_to_random_port(f"tcp://{address}")
        self._outgoing: deque[Sequence[bytes]] = deque()
        self._wake_out, self._wake_in = os.pipe()
        os.set_blocking(self._wake_in, False)
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="flux-link", daemon=True)

    def __repr__(self) -> str:
        return f"<Link port={self.port} outgoing={len(self._outgoing)}>"

    def start(self) -> None:
        """Begin to receive."""
        self._thread.start()

    def send(self, identity: bytes, message: ToBlock, payloads: Sequence[bytes] = ()) -> None:
        """Queue a message; returns at once."""
        self._outgoing.append((identity, encode(message), *payloads))
        self._wake()

    def _wake(self) -> None:
        try:
            os.write(self._wake_in, b"w")
        except (BlockingIOError, OSError):
            pass  # it is awake, or closed

    def close(self) -> None:
        """Send what is queued, and end."""
        self._is_closing = True
        self._wake()
        if self._thread.is_alive():
            self._thread.join()
        self._context.destroy()
        os.close(self._wake_in)
        os.close(self._wake_out)

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._wake_out, zmq.POLLIN)
        next_beat_s = time.monotonic() + HEARTBEAT_PERIOD_S
        while True:
            is_closing = self._is_closing
            self._send_queued()
            if is_closing:
                break
            ready = dict(poller.poll(max(0, math.ceil((next_beat_s - time.monotonic()) * 1000))))
            if self._wake_out in ready:
                os.read(self._wake_out, 4096)
            if self._socket in ready:
                self._receive_all()
            if time.monotonic() >= next_beat_s:
                next_beat_s = time.monotonic() + HEARTBEAT_PERIOD_S
                try:
                    self._beat()
                except Exception:
                    logger.exception("The heartbeat of the blocks has failed")
        self._socket.close()

    def _send_queued(self) -> None:
        while self._outgoing:
            try:
                self._socket.send_multipart(self._outgoing.popleft())
            except zmq.ZMQError as error:
                # The block is lost, which is detected elsewhere.
                logger.info("A message to a block was not sent: %s", error)

    def _receive_all(self) -> None:
        while True:
            try:
                identity, head, *payloads = self._socket.recv_multipart(zmq.NOBLOCK)
                self._receive(identity, decode_from_block(head), payloads)
            except zmq.Again:
                return
            except (ValueError, msgspec.DecodeError) as error:
                logger.warning("A message of a block was dropped: %s", error)
            except Exception:
                logger.exception("A message of a block was not handled")
