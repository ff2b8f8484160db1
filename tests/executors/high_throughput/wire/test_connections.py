"""A manager's connection: two kinds, one behaviour."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zmq

from parsl.executors.high_throughput.wire.connections import (
    COPY_LIMIT,
    Connection,
    StreamConnection,
    ZmqConnection,
    end_context,
    receive,
    send,
)
from parsl.executors.high_throughput.wire.message_stream import MessageStream
from tests.support.relay import FAIR, Relay, Weather

LARGE = bytes(range(256)) * (COPY_LIMIT // 128)


class Stream:
    """The interchange's end of a unix socket."""

    def __init__(self) -> None:
        ours, self.sock = socket.socketpair()
        self.connection: Connection = StreamConnection(MessageStream(ours))
        self.stream = MessageStream(self.sock)

    def send(self, *parts: bytes) -> None:
        self.stream.queue(parts)
        while not self.stream.flush():
            self.connection.receive()

    def hear(self) -> list[list[bytes]]:
        self.connection.flush()
        try:
            return [[bytes(part) for part in parts] for parts in self.stream.receive()]
        except EOFError:
            return []

    def close(self) -> None:
        self.connection.close(0)
        self.sock.close()


class Zmq:
    """The interchange's end of a TCP connection."""

    def __init__(self) -> None:
        self.context = zmq.Context()
        self.router = self.context.socket(zmq.ROUTER)
        port = self.router.bind_to_random_port("tcp://127.0.0.1")
        dealer = zmq.Context().socket(zmq.DEALER)
        dealer.setsockopt(zmq.ROUTING_ID, b"m")
        endpoint = f"tcp://127.0.0.1:{port}"
        self.connection: Connection = ZmqConnection(dealer, endpoint)
        self.connection.send([b"hello"])
        self.router.recv_multipart()

    def send(self, *parts: bytes) -> None:
        send(self.router, [b"m", *parts])

    def hear(self) -> list[list[bytes]]:
        try:
            return [[bytes(part) for part in receive(self.router)[1:]]]
        except zmq.Again:
            return []

    def close(self) -> None:
        self.connection.close(0)
        self.context.destroy(linger=0)


@pytest.fixture(params=[Stream, Zmq])
def ends(request: pytest.FixtureRequest) -> Iterator[Any]:
    ends = request.param()
    yield ends
    ends.close()


def collect(read: Callable[[], list[Any]], count: int, wait_until: Any) -> list[list[bytes]]:
    found: list[list[bytes]] = []

    def is_there() -> bool:
        found.extend([bytes(part) for part in parts] for parts in read())
        return len(found) >= count

    wait_until(is_there)
    return found


MESSAGES = [[b"head"], [b"head", LARGE, b"", LARGE * 4], [b"", b"x"]]


def test_messages_arrive_in_order_in_both_directions(ends: Any, wait_until: Any) -> None:
    for parts in MESSAGES:
        ends.connection.send(parts)
    assert collect(ends.hear, 3, wait_until) == MESSAGES
    for parts in MESSAGES[:1]:
        ends.send(*parts)
    assert collect(ends.connection.receive, 1, wait_until) == MESSAGES[:1]


def test_without_input_there_is_no_message(ends: Any) -> None:
    assert ends.connection.receive() == []
    assert not ends.connection.has_input()


def test_returned_messages_are_received_again_before_others(ends: Any, wait_until: Any) -> None:
    ends.send(b"second")
    ends.connection.requeue([[b"first"]])
    assert ends.connection.has_input()
    assert collect(ends.connection.receive, 2, wait_until) == [[b"first"], [b"second"]]


def test_closing_waits_for_queued_messages(ends: Any, wait_until: Any) -> None:
    ends.connection.send([b"last words", LARGE])
    ends.connection.close(5.0)
    assert collect(ends.hear, 1, wait_until) == [[b"last words", LARGE]]


def test_the_closing_of_a_unix_socket_is_noticed() -> None:
    ends = Stream()
    ends.sock.close()
    with pytest.raises(EOFError):
        ends.connection.receive()
    ends.connection.send([b"nobody hears this"])
    assert not ends.connection.has_unsent()
    ends.connection.close(0)


def test_a_full_unix_socket_requests_to_be_watched_for_room(wait_until: Any) -> None:
    ends = Stream()
    ends.connection.send([LARGE * 100])
    assert ends.connection.has_unsent()
    assert collect(ends.hear, 1, wait_until) == [[LARGE * 100]]
    assert not ends.connection.has_unsent()
    ends.close()


def test_bytes_for_heads_and_views_for_the_rest(wait_until: Any) -> None:
    ends = Zmq()
    ends.connection.send([b"head", b"frame"])
    wait_until(lambda: ends.router.getsockopt(zmq.EVENTS) & zmq.POLLIN)
    name, head, frame = receive(ends.router)
    assert (name, head, type(frame)) == (b"m", b"head", memoryview)
    ends.close()


def test_a_connection_that_zeromq_gave_up_is_restored(wait_until: Any) -> None:
    relay = Relay(Weather(garbage=1.0))
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        public, router.curve_secretkey = zmq.curve_keypair()
        router.curve_server = True
        router.linger = 0
        relay.lead_to(router.bind_to_random_port("tcp://127.0.0.1"))
        endpoint = f"tcp://127.0.0.1:{relay.port}"
        dealer = zmq.Context().socket(zmq.DEALER)
        dealer.setsockopt(zmq.ROUTING_ID, b"m")
        dealer.linger = 0  # as `make_dealer` has it
        dealer.curve_publickey, dealer.curve_secretkey = zmq.curve_keypair()
        dealer.curve_serverkey = public
        connection = ZmqConnection(dealer, endpoint)
        connection.send([b"too early"])
        wait_until(connection.reconnect, 30)
        assert not connection.reconnect(), "not twice at once"
        wait_until(connection.reconnect, 30)
        assert relay.nonsense >= 2
        connection.send([b"into", b"the void, perhaps"])
        relay.weather = FAIR

        def arrives() -> bool:
            connection.reconnect()
            connection.send([b"here", b"I am"])
            return bool(router.poll(50))

        wait_until(arrives, 30)
        connection.close(0)
    relay.close()


def test_a_context_that_does_not_terminate_is_abandoned() -> None:
    context = zmq.Context()
    sock = context.socket(zmq.PAIR)
    end_context(context, 0.0)
    [ending] = [thread for thread in threading.enumerate() if thread.name == "zmq-end"]
    sock.close(linger=0)
    ending.join(60)
    assert context.closed
