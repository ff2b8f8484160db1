"""Messages of frames over a real socket pair, however it cuts them up."""

from __future__ import annotations

import array
import socket
import struct
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsl.executors.high_throughput.wire import message_stream
from parsl.executors.high_throughput.wire.message_stream import MessageStream

KB = 1024


@pytest.fixture
def pair() -> Iterator[tuple[MessageStream, MessageStream]]:
    one, other = socket.socketpair()
    yield MessageStream(one), MessageStream(other)
    one.close()
    other.close()


def carry(sender: MessageStream, receiver: MessageStream, count: int) -> list[list[bytes]]:
    """Write and read in turn until `count` messages have arrived."""
    received: list[list[bytes]] = []
    while len(received) < count:
        sender.flush()
        received += [[bytes(frame) for frame in frames] for frames in receiver.receive()]
    return received


def carry_nothing_forever(receiver: MessageStream) -> None:
    while True:
        assert receiver.receive() == []


sizes = st.one_of(
    st.integers(0, 100), st.sampled_from([4095, 65535, 65536, 128 * KB, 128 * KB + 1, 256 * KB, 700 * KB])
)
messages = st.lists(st.lists(sizes, min_size=1, max_size=5), min_size=1, max_size=5)


def content(shape: list[list[int]]) -> list[list[bytes]]:
    return [[bytes([i + j & 255]) * size for j, size in enumerate(frames)] for i, frames in enumerate(shape)]


@settings(max_examples=40, deadline=None)
@given(messages)
def test_messages_arrive_whole_and_in_order(shape: list[list[int]]) -> None:
    one, other = socket.socketpair()
    with one, other:
        sender, receiver = MessageStream(one), MessageStream(other)
        sent = content(shape)
        for frames in sent:
            sender.queue(frames)
        assert carry(sender, receiver, len(sent)) == sent
        assert receiver.receive() == []


@settings(max_examples=40, deadline=None)
@given(messages, st.lists(st.integers(1, 200 * KB), min_size=1, max_size=20))
def test_messages_arrive_however_the_stream_is_cut(shape: list[list[int]], cuts: list[int]) -> None:
    one, other = socket.socketpair()
    with one, other:
        receiver, sent = MessageStream(other), content(shape)
        data = b"".join(
            struct.pack(f"<I{len(frames)}Q", len(frames), *map(len, frames)) + b"".join(frames)
            for frames in sent
        )
        received: list[Any] = []
        at, turn = 0, 0
        one.setblocking(False)
        while at < len(data):
            cut = max(cuts[turn % len(cuts)], len(data) // 500)  # the smallest ones in small streams only
            at += one.send(data[at : at + cut])
            turn += 1
            received += receiver.receive()
        while len(received) < len(sent):
            received += receiver.receive()
        assert received == sent


def test_a_message_of_more_frames_than_a_buffer_has_lengths(
    pair: tuple[MessageStream, MessageStream],
) -> None:
    frames = [b"%d" % number for number in range(100_000)]
    pair[0].queue(frames)
    pair[0].queue([b"next"])
    assert carry(*pair, 2) == [frames, [b"next"]]


def test_a_huge_frame_arrives_in_pieces(pair: tuple[MessageStream, MessageStream]) -> None:
    frame = bytes(range(256)) * (64 * KB)
    pair[0].queue([b"head", frame])
    assert not pair[0].flush()
    assert repr(pair[0]).endswith("pieces_unsent=1>")
    assert carry(*pair, 1) == [[b"head", frame]]


def test_a_frame_in_mapped_memory_arrives_in_pieces(
    pair: tuple[MessageStream, MessageStream], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_stream, "MAPPED_FROM_BYTES", 300 * KB)
    frames = [b"head", bytes(range(256)) * 1600, bytes(200 * KB), b"x" * 500_000]
    pair[0].queue(frames)
    assert carry(*pair, 1) == [frames]


def test_a_frame_uses_no_memory_before_it_arrives(pair: tuple[MessageStream, MessageStream]) -> None:
    announced = message_stream.MAX_BYTES // 4
    pair[0].sock.send(struct.pack("<IQ", 1, announced) + b"begun")
    before = psutil.Process().memory_info().rss
    assert pair[1].receive() == []
    assert psutil.Process().memory_info().rss - before < announced // 8
    pair[0].sock.close()
    with pytest.raises(EOFError):
        carry_nothing_forever(pair[1])


def test_frames_of_any_kind_of_buffer_are_sent(pair: tuple[MessageStream, MessageStream]) -> None:
    numbers = array.array("d", range(100_000))
    grid = memoryview(bytes(range(12))).cast("B", (3, 4))
    pair[0].queue([bytearray(b"a"), memoryview(numbers), grid])
    assert carry(*pair, 1) == [[b"a", numbers.tobytes(), bytes(range(12))]]


def test_a_message_without_frames_is_refused(pair: tuple[MessageStream, MessageStream]) -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        pair[0].queue([])


def test_without_input_no_message_is_read(pair: tuple[MessageStream, MessageStream]) -> None:
    assert pair[1].receive() == []


def test_messages_before_the_end_arrive_before_the_end(pair: tuple[MessageStream, MessageStream]) -> None:
    pair[0].queue([b"last words"])
    pair[0].flush()
    pair[0].sock.close()
    assert pair[1].receive() == [[b"last words"]]
    with pytest.raises(EOFError):
        pair[1].receive()


def test_a_truncated_large_frame_ends_the_stream(pair: tuple[MessageStream, MessageStream]) -> None:
    pair[0].queue([bytes(1000 * KB)])
    pair[0].flush()
    pair[0].sock.close()
    with pytest.raises(EOFError):
        carry_nothing_forever(pair[1])


def test_writing_to_a_closed_end_is_an_error(pair: tuple[MessageStream, MessageStream]) -> None:
    pair[1].sock.close()
    pair[0].queue([b"x"])
    with pytest.raises(OSError, match="pipe"):
        pair[0].flush()


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<I", 0),
        struct.pack("<I", 0xFFFF_FFFF),
        struct.pack("<IQ", 1, 1 << 60),
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_invalid_data_ends_the_stream(pair: tuple[MessageStream, MessageStream], data: bytes) -> None:
    pair[0].sock.send(data)
    with pytest.raises(EOFError, match="message stream"):
        pair[1].receive()


@given(st.binary(min_size=1, max_size=200))
def test_arbitrary_bytes_do_no_harm(data: bytes) -> None:
    one, other = socket.socketpair()
    with one, other:
        receiver = MessageStream(other)
        one.send(data)
        try:
            for frames in receiver.receive():
                assert frames
        except EOFError:
            pass
