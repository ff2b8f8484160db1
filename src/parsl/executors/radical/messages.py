"""The messages between the executor and the process with its session, one line of JSON each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import msgspec

#: The state of a task whose description RADICAL-Pilot has refused.
REFUSED = "REFUSED"
#: The state of a task that the pilot can never run.
TOO_LARGE = "TOO_LARGE"


class Submit(msgspec.Struct, tag=True):
    """Submit a task. The description is that of ``radical.pilot.TaskDescription``."""

    number: int
    description: dict[str, Any]


class Cancel(msgspec.Struct, tag=True):
    """Cancel a task, whether it waits or runs."""

    number: int


class Opened(msgspec.Struct, tag=True):
    """The session is open, and the pilot is submitted."""

    session: str


class Ended(msgspec.Struct, tag=True):
    """A task has ended."""

    number: int
    #: DONE, FAILED or CANCELED, or REFUSED or TOO_LARGE.
    state: str
    detail: str


class PilotEnded(msgspec.Struct, tag=True):
    """The pilot has ended, and with it every task."""

    state: str
    detail: str


ToSession: TypeAlias = Submit | Cancel
FromSession: TypeAlias = Opened | Ended | PilotEnded


class Settings(msgspec.Struct):
    """What the process with the session needs: the arguments of its command."""

    #: The description of the pilot.
    pilot: dict[str, Any]
    #: How long to collect tasks before they are submitted together, in seconds.
    bulk_wait_s: float


_encode = msgspec.json.Encoder().encode
decode_to_session = msgspec.json.Decoder(ToSession).decode
decode_from_session = msgspec.json.Decoder(FromSession).decode


class Lines:
    """Messages as lines. It keeps what has arrived of an incomplete one.

    Args:
        decode: Reads a line.
    """

    def __init__(self, decode: Callable[[bytes], Any]) -> None:
        self._decode = decode
        self._rest = b""

    def encode(self, messages: Sequence[ToSession | FromSession]) -> bytes:
        """Return messages as bytes."""
        return b"".join(line(message) for message in messages)

    def feed(self, received: bytes) -> list[Any]:
        """Return the messages that the bytes complete."""
        *lines, self._rest = (self._rest + received).split(b"\n")
        return [self._decode(each) for each in lines]


def line(message: ToSession | FromSession) -> bytes:
    """Return a message as a line."""
    return _encode(message) + b"\n"
