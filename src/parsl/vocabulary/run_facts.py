"""What executors report about managers, blocks and the use of resources."""

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


class ResourceSample(NamedTuple):
    """What a running task and all of its processes use at one moment."""

    #: Process id of the worker that runs the task.
    pid: int
    #: Bytes, summed over the processes.
    memory_resident: int
    memory_virtual: int
    #: Resident memory in percent of the node's memory.
    memory_percent: float
    #: Seconds of processor time since the task began, with processes that were waited for.
    user_s: float
    system_s: float
    #: The number of processes that the task has started.
    children: int
    #: Bytes since the processes began, those of the worker included.
    disk_read: int = 0
    disk_write: int = 0
    #: Context switches since the processes began.
    voluntary_switches: int = 0
    involuntary_switches: int = 0
    #: The state of the worker's process, such as ``running`` or ``sleeping``; empty if unknown.
    status: str = ""
    #: The CPU on which the worker's process has last run; empty if unknown.
    cpu_number: str = ""
