"""The connections between the executor and its blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zmq

from parsl.curvezmq import ClientContext, create_certificates
from parsl.executors.flux.link import Link
from parsl.executors.flux.protocol import (
    FromBlock,
    Heartbeat,
    Register,
    Run,
    Shape,
    decode_to_block,
    encode,
)

if TYPE_CHECKING:
    from tests.conftest import WaitUntil

Received = list[tuple[bytes, FromBlock, Sequence[bytes]]]


@pytest.fixture
def received() -> Received:
    return []


@pytest.fixture
def link(tmp_path: Path, received: Received) -> Iterator[Link]:
    link = Link(tmp_path, "127.0.0.1", lambda *message: received.append(message), lambda: None)
    link.start()
    yield link
    link.close()


def test_messages_pass_both_ways(link: Link, received: Received, wait_until: WaitUntil) -> None:
    context = ClientContext(link.cert_dir)
    with context.socket(zmq.DEALER) as sock:
        sock.connect(f"tcp://127.0.0.1:{link.port}")
        register = Register("0", "n1", 7, "3.12", "1")
        sock.send_multipart([encode(register), b""])
        wait_until(lambda: received)
        identity, message, payloads = received[0]
        assert (message, payloads) == (register, [b""])
        run = Run([3, 4], Shape(num_tasks=2))
        link.send(identity, run, [b"call", b"another"])
        head, *payloads = sock.recv_multipart()
        assert (decode_to_block(head), payloads) == (run, [b"call", b"another"])
    context.destroy()


def test_a_peer_without_the_keys_is_not_heard(
    link: Link, received: Received, tmp_path: Path, wait_until: WaitUntil
) -> None:
    (tmp_path / "other").mkdir()
    contexts = [ClientContext(create_certificates(tmp_path / "other")), ClientContext(None)]
    for context in contexts:
        sock = context.socket(zmq.DEALER)
        sock.linger = 0
        sock.connect(f"tcp://127.0.0.1:{link.port}")
        sock.send_multipart([encode(Heartbeat()), b"unknown"])
    known = ClientContext(link.cert_dir)
    sock = known.socket(zmq.DEALER)
    sock.connect(f"tcp://127.0.0.1:{link.port}")
    sock.send_multipart([encode(Heartbeat()), b"known"])
    wait_until(lambda: received)
    assert [payloads for _, _, payloads in received] == [[b"known"]]
    for context in [*contexts, known]:
        context.destroy(linger=0)


def test_a_receiver_that_fails_does_not_end_the_link(tmp_path: Path, wait_until: WaitUntil) -> None:
    received: list[bytes] = []

    def receive(identity: bytes, message: FromBlock, payloads: Sequence[bytes]) -> None:
        received.extend(payloads)
        raise OSError("this message cannot be handled")

    link = Link(tmp_path, "127.0.0.1", receive, lambda: None)
    link.start()
    context = ClientContext(link.cert_dir)
    with context.socket(zmq.DEALER) as sock:
        sock.connect(f"tcp://127.0.0.1:{link.port}")
        for payload in (b"first", b"second"):
            sock.send_multipart([encode(Heartbeat()), payload])
        wait_until(lambda: received == [b"first", b"second"])
    context.destroy()
    link.close()


def test_garbage_is_dropped(link: Link, received: Received, wait_until: WaitUntil) -> None:
    context = ClientContext(link.cert_dir)
    sock = context.socket(zmq.DEALER)
    sock.connect(f"tcp://127.0.0.1:{link.port}")
    for frames in ([b"garbage", b""], [b"one frame"], [b"a", b"b", b"c"], [encode(Heartbeat()), b""]):
        sock.send_multipart(frames)
    wait_until(lambda: received)
    assert [message for _, message, _ in received] == [Heartbeat()]
    link.send(b"no such block", Heartbeat())
    link.send(received[0][0], Heartbeat())
    assert decode_to_block(sock.recv_multipart()[0]) == Heartbeat()
    context.destroy(linger=0)
