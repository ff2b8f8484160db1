"""Arbitrary input on a connection: invalid messages are refused with the documented error only."""

from __future__ import annotations

import socket
import struct
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.message_stream import MessageStream
from parsl.executors.high_throughput.wire.protocol import DecodeError, encode
from parsl.executors.high_throughput.wire.settings import InterchangeSettings, ManagerSettings
from tests.fuzz.damage import a_few, cut, scratched

DECODERS = {name: getattr(protocol, name) for name in vars(protocol) if name.startswith("decode_")}
TAGS = sorted(
    name
    for name, kind in vars(protocol).items()
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__struct_config__.tag
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
#: Well-formed messages of the right kinds, with anything in their fields.
TAGGED = st.builds(lambda tag, fields: [tag, *fields], st.sampled_from(TAGS), st.lists(VALUES, max_size=12))
GOOD = encode(protocol.Tasks([protocol.Task(1, b"f", b"payload", (3, 4), 1.0)], {b"f": b"body"}, 3)) + encode(
    protocol.Results([protocol.Result(1, 0, b"x")], 3, 1)
)


@a_few
@given(name=st.sampled_from(sorted(DECODERS)), message=TAGGED | VALUES)
def test_well_formed_garbage_is_refused_or_typed(name: str, message: Any) -> None:
    try:
        found = DECODERS[name](msgspec.msgpack.encode(message))
    except DecodeError:
        return
    assert isinstance(found, msgspec.Struct)
    again = DECODERS[name](encode(found))
    assert again == found or found != found, "the message is unchanged, unless it has a NaN"


@a_few
@given(st.sampled_from(sorted(DECODERS)), scratched(GOOD) | cut(GOOD))
def test_damaged_messages_are_refused_or_typed(name: str, data: bytes) -> None:
    try:
        found = DECODERS[name](data)
    except DecodeError:
        return
    assert isinstance(found, msgspec.Struct)


@pytest.mark.parametrize("kind", [InterchangeSettings, ManagerSettings])
@a_few
@given(data=st.binary() | VALUES.map(msgspec.msgpack.encode))
def test_invalid_settings_are_refused(kind: type, data: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        msgspec.msgpack.decode(data, type=kind)


FRAMES = st.lists(st.binary(max_size=60), min_size=1, max_size=4)


def on_the_wire(frames: list[bytes]) -> bytes:
    return struct.pack(f"<I{len(frames)}Q", len(frames), *map(len, frames)) + b"".join(frames)


def read_all(data: bytes, pieces: int) -> list[list[bytes]]:
    """What a stream makes of these bytes when they come in so many pieces, and then no more."""
    one, other = socket.socketpair()
    with one, other:
        stream, found = MessageStream(other), []
        step = max(1, -(-len(data) // pieces))
        try:
            for at in range(0, len(data), step):
                one.sendall(data[at : at + step])
                found += stream.receive()
            one.close()
            while True:
                found += stream.receive()
        except EOFError:
            return [[bytes(frame) for frame in frames] for frames in found]


@a_few
@given(st.lists(FRAMES, max_size=4), st.binary(max_size=40), st.integers(1, 9))
def test_messages_arrive_unchanged_whatever_follows_them(
    messages: list[list[bytes]], junk: bytes, pieces: int
) -> None:
    data = b"".join(map(on_the_wire, messages)) + junk
    found = read_all(data, pieces)[: len(messages)]
    assert found == messages[: len(found)]
    if not junk:
        assert found == messages


@a_few
@given(st.lists(FRAMES, min_size=1, max_size=4).flatmap(
    lambda messages: cut(b"".join(map(on_the_wire, messages)))
), st.integers(1, 9))  # fmt: skip
def test_a_stream_out_of_step_only_ends(data: bytes, pieces: int) -> None:
    for frames in read_all(data, pieces):
        assert frames, "a message has a frame"
