"""Packets between manager and worker arrive whole and in order, and exactly one of the two reads each."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsl.executors.high_throughput.manager.worker_link import WorkerLink
from parsl.executors.high_throughput.wire.protocol import INLINE_LIMIT, Task, Work, decode_work
from parsl.executors.high_throughput.wire.worker_channel import (
    PACKET_LIMIT,
    FrameCollector,
    fragments,
    make_pair,
    send_blocking,
)
from tests.conftest import WaitUntil

BUFFER = PACKET_LIMIT + 4096


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = make_pair()
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.fixture
def link() -> Iterator[WorkerLink]:
    link = WorkerLink()
    yield link
    link.close()


def work(number: int, payload: bytes = b"", sizes: tuple[int, ...] = ()) -> Work:
    return Work(Task(number, b"", payload, sizes))


class TestFragments:
    @given(st.lists(st.integers(0, 3 * PACKET_LIMIT), max_size=3))
    def test_no_packet_is_too_large_or_spans_two_frames(self, sizes: list[int]) -> None:
        packets = fragments([bytes(size) for size in sizes])
        assert all(0 < packet.nbytes <= PACKET_LIMIT for packet in packets)
        assert len(packets) == sum(-(-size // PACKET_LIMIT) for size in sizes)

    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.sampled_from([0, 1, 100, PACKET_LIMIT, PACKET_LIMIT + 1, 400_000]), max_size=4))
    def test_frames_are_reassembled(self, sizes: list[int]) -> None:
        frames = [bytes([number + 1]) * size for number, size in enumerate(sizes)]
        link = WorkerLink()
        link.send(work(1, sizes=tuple(sizes)), frames)
        assert decode_work(link.theirs.recv(BUFFER)).task.id == 1
        collector = FrameCollector(sizes)
        while not collector.is_complete:
            link.flush()
            collector.receive(link.theirs)
        assert [bytes(frame) for frame in collector.frames] == frames
        assert not link.waiting
        link.close()

    def test_a_channel_that_closes_in_the_middle_is_an_error(
        self, pair: tuple[socket.socket, socket.socket]
    ) -> None:
        pair[1].send(b"abc")
        pair[1].close()
        collector = FrameCollector([10])
        collector.receive(pair[0])
        with pytest.raises(EOFError, match="in the middle"):
            collector.receive(pair[0])

    def test_nothing_to_collect_is_complete(self) -> None:
        assert FrameCollector([]).is_complete
        assert FrameCollector([0, 0]).is_complete


class TestSending:
    def test_packets_that_the_socket_does_not_accept_wait_in_order(self, link: WorkerLink) -> None:
        count = 0
        while not link.waiting:
            link.send(work(count, bytes(30_000)))
            count += 1
        link.send(work(count))
        assert not link.flush()
        received = []
        while len(received) <= count:
            received.append(decode_work(link.theirs.recv(BUFFER)).task.id)
            link.flush()
        assert received == list(range(count + 1))

    def test_the_worker_waits_until_everything_is_sent(
        self, pair: tuple[socket.socket, socket.socket]
    ) -> None:
        frame = bytes(range(256)) * 20_000
        thread = threading.Thread(target=send_blocking, args=(pair[1], b"head", [frame]))
        thread.start()
        pair[0].setblocking(True)
        assert pair[0].recv(100) == b"head"
        collector = FrameCollector([len(frame)])
        while not collector.is_complete:
            collector.receive(pair[0])
        thread.join()
        assert collector.frames[0] == frame

    def test_the_socket_accepts_the_largest_packets(self, pair: tuple[socket.socket, socket.socket]) -> None:
        pair[0].send(bytes(PACKET_LIMIT))
        assert len(pair[1].recv(BUFFER)) == PACKET_LIMIT


class TestLink:
    def test_unread_packets_are_taken_back_in_order(self, link: WorkerLink) -> None:
        for number in range(100):
            link.send(work(number, bytes(20_000)), [])
        assert link.waiting, "more than the socket takes"
        assert decode_work(link.theirs.recv(BUFFER)).task.id == 0
        back = link.read_back(bytearray(BUFFER))
        assert [found.task.id for found in back] == list(range(1, 100))
        assert all(len(found.task.payload) == 20_000 for found in back)
        assert not link.waiting
        assert link.read_back(bytearray(BUFFER)) == []

    def test_a_large_function_travels_behind_its_task(self, link: WorkerLink) -> None:
        body = bytes(INLINE_LIMIT + 1)
        link.send(Work(Task(1, b"name", b"", (3,)), body), [b"abc"])
        head = decode_work(link.theirs.recv(BUFFER))
        assert (head.body, head.body_size) == (None, len(body))
        collector = FrameCollector([head.body_size, *head.task.sizes])
        while not collector.is_complete:
            collector.receive(link.theirs)
        assert [bytes(frame) for frame in collector.frames] == [body, b"abc"]

    def test_a_small_function_travels_inside_its_task(self, link: WorkerLink) -> None:
        link.send(Work(Task(1, b"name", b""), b"body"), [])
        assert decode_work(link.theirs.recv(BUFFER)).body == b"body"

    def test_the_repr_counts_waiting_packets(self, link: WorkerLink) -> None:
        assert repr(link) == "<WorkerLink unsent=0>"

    @pytest.mark.parametrize("rounds", [40])
    def test_each_packet_is_read_exactly_once_although_both_sides_read(
        self, link: WorkerLink, rounds: int, wait_until: WaitUntil
    ) -> None:
        """A worker reads as fast as possible while the manager takes packets back and resends them."""
        link.theirs.setblocking(True)
        worker_has: list[int] = []
        # The packet with this number ends the worker; no other packet has the number.
        last = 10**9

        def run_worker() -> None:
            while True:
                number = decode_work(link.theirs.recv(BUFFER)).task.id
                if number == last:
                    return
                worker_has.append(number)

        thread = threading.Thread(target=run_worker)
        thread.start()
        manager_has: list[int] = []
        buffer = bytearray(BUFFER)
        for start in range(0, rounds * 50, 50):
            for number in range(start, start + 50):
                link.send(work(number), [])
            back = [found.task.id for found in link.read_back(buffer)]
            assert back == sorted(back)
            manager_has += back
        link.send(work(last), [])
        wait_until(link.flush)
        thread.join()
        assert sorted(worker_has + manager_has) == list(range(rounds * 50))
        assert worker_has == sorted(worker_has)
