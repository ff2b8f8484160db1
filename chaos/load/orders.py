"""What the load's command and its fleets say to each other: one line of JSON each."""

from __future__ import annotations

import msgspec


class Order(msgspec.Struct, frozen=True):
    """What one fleet is to be: the first line that it reads."""

    #: The executor's file for managers.
    settings_file: str
    #: Numbers of its managers.
    first: int
    last: int
    nodes_per_block: int
    workers: int
    #: How long a task takes on average, in seconds.
    task_s: float
    seed: int


class Kill(msgspec.Struct, tag=True, frozen=True):
    """Let one manager die, by chance."""

    #: Without closing its connection: as a node that loses its power.
    is_silent: bool


class Died(msgspec.Struct, tag=True, frozen=True):
    """A manager was let die, at this time since the epoch."""

    manager: str
    is_silent: bool
    at_s: float


class Refused(msgspec.Struct, tag=True, frozen=True):
    """The interchange does not want a manager any more."""

    manager: str
    reason: str


class Ended(msgspec.Struct, tag=True, frozen=True):
    """The fleet ends."""

    #: The longest time that any of its managers has heard nothing, in seconds.
    longest_silence_s: float
    #: How many tasks its managers have been given.
    tasks: int


encode = msgspec.json.encode
decode_order = msgspec.json.Decoder(Order).decode
decode_kill = msgspec.json.Decoder(Kill).decode
decode_news = msgspec.json.Decoder(Died | Refused | Ended).decode
