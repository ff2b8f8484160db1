"""The options and the outcome of one run of the load test, as JSON between the command and its process."""

from __future__ import annotations

import msgspec


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options of one run."""

    managers: int
    #: Workers of a node.
    workers: int
    #: Nodes of a batch job.
    nodes_per_block: int
    tasks: int
    #: The mean duration of a task, in seconds.
    task_s: float
    #: The fraction of managers that die.
    deaths: float
    #: How long the idle machine is measured, in seconds.
    idle_s: float
    #: The heartbeat period, and the threshold, in seconds.
    period_s: float
    threshold_s: float
    #: The number of processes that simulate managers.
    fleets: int
    seed: int
    #: Whether the run has an event log.
    event_log: bool


class Outcome(msgspec.Struct, frozen=True):
    """The figures of a run by name, and what was wrong."""

    figures: dict[str, float | None]
    wrong: list[str]


encode = msgspec.json.encode
decode_options = msgspec.json.Decoder(Options).decode
decode_outcome = msgspec.json.Decoder(Outcome).decode
