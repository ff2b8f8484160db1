"""What executors report about managers and blocks."""

from __future__ import annotations

from typing import NamedTuple


class ManagerFacts(NamedTuple):
    """One manager, and the node that it owns."""

    #: A small integer, unique within the executor's run. The manager keeps it when it registers again.
    number: int
    #: The manager's name.
    manager: str
    #: The block's id.
    block: str
    #: The node's name.
    host: str
    #: Process id of the manager.
    pid: int
    #: How many workers it has.
    workers: int
    #: How many CPUs the node has; 0 if unknown.
    cpu_count: int
    #: Bytes of the node's memory; 0 if unknown.
    total_memory: int
    python_version: str
    #: The names of the accelerators that its workers use.
    accelerators: tuple[str, ...] = ()


class BlockFacts(NamedTuple):
    """The state of one block."""

    #: The block's id.
    block: str
    #: The scheduler's job id; None before the scheduler has accepted the job.
    job_id: str | None
    #: The name of a :class:`JobState <parsl.vocabulary.job_states.JobState>`, such as ``PENDING``.
    status: str
    #: The explanation of the scheduler or of Parsl, such as why it is pending; empty if there is none.
    message: str
    #: When this was found out, in seconds since the epoch.
    moment_s: float
