"""The messages between the command and its fleets: one line of JSON each."""

from __future__ import annotations

import msgspec


class Order(msgspec.Struct, frozen=True):
    """What a fleet simulates: the first line that it reads."""

    #: The file with the executor's settings for managers.
    settings_file: str
    #: The first number of its managers, and the one after the last.
    first: int
    last: int
    nodes_per_block: int
    workers: int
    #: The mean duration of a task, in seconds.
    task_s: float
    seed: int


class Kill(msgspec.Struct, tag=True, frozen=True):
    """Kill a random manager."""

    #: Whether the connection stays open, as when a node loses power.
    is_silent: bool


class Died(msgspec.Struct, tag=True, frozen=True):
    """A manager was killed, at this time since the epoch (seconds)."""

    manager: str
    is_silent: bool
    at_s: float


class Refused(msgspec.Struct, tag=True, frozen=True):
    """The interchange refuses a manager."""

    manager: str
    reason: str


class Ended(msgspec.Struct, tag=True, frozen=True):
    """The fleet has ended."""

    #: The longest time that one of its managers received no message, in seconds.
    longest_silence_s: float
    #: The number of tasks that its managers received.
    tasks: int


encode = msgspec.json.encode
decode_order = msgspec.json.Decoder(Order).decode
decode_kill = msgspec.json.Decoder(Kill).decode
decode_news = msgspec.json.Decoder(Died | Refused | Ended).decode
