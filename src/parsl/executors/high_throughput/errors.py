"""Errors and warnings of the high-throughput executor.

ParslError
├── WorkerLost       the worker process of a task ended while it ran the task
│   └── WorkerOverMemory  the worker was ended, because it exceeded its memory limit
├── ManagerLost      the manager of a task, or its node, was lost
├── InterchangeLost  the interchange process ended
├── VersionMismatch  a manager runs another version of Python or of this library
├── CommandClientBadError      the interchange could not answer a request
└── CommandClientTimeoutError  the interchange did not answer a request in time

UserWarning
├── BadNodeWarning         a node gets no tasks for a while
└── ManagerRefusedWarning  a manager with other versions was refused
"""

from __future__ import annotations

from typing import Any

from parsl.errors import AttemptError, ParslError


class CommandClientBadError(ParslError):
    """The interchange could not answer a request of the driver."""


class CommandClientTimeoutError(ParslError):
    """The interchange did not answer a request of the driver in time."""


class _Lost(AttemptError):
    """A process was lost while it had a task; the last argument describes what is known."""

    @property
    def message(self) -> str:
        """What is known about the loss."""
        return str(self.args[-1])

    def __str__(self) -> str:
        return self.message


class WorkerLost(_Lost):
    """The worker process of a task ended while it ran the task.

    Args:
        worker_id: The worker's rank on its node.
        hostname: The node.
        message: What is known about the end; a plain sentence if not given.

    Attributes:
        is_worker_loss: Always true: the kernel stops retrying a task that has cost several workers.
        details: exit_code, signal, peak_memory (bytes), block, manager, log_tail, where known.
    """

    is_worker_loss = True

    def __init__(self, worker_id: Any, hostname: str, message: str = "", **details: Any) -> None:
        message = message or f"Task failure due to loss of worker {worker_id} on host {hostname}"
        super().__init__(worker_id, hostname, message)
        self.worker_id = worker_id
        self.hostname = hostname
        self.details = details


class WorkerOverMemory(WorkerLost):
    """The worker of a task was ended, because it used more memory than ``mem_per_worker``.

    The limit is enforced on request only: ``HighThroughputExecutor(enforce_mem_per_worker=True)``.
    """


class ManagerLost(_Lost):
    """The manager of a task, or its node, was lost.

    Args:
        manager_id: The manager's name.
        hostname: The node.
        message: What is known about the loss; a plain sentence if not given.

    Attributes:
        is_job_end: Whether the block's job had ended, at its walltime or on request. The task is not at
            fault: the kernel runs it again, and does not count that as a retry.
        details: As for WorkerLost, and job_state; exit_code and log_tail are those of the job.
    """

    def __init__(self, manager_id: Any, hostname: str, message: str = "", **details: Any) -> None:
        message = message or f"Task failure due to loss of manager {manager_id} on host {hostname}"
        super().__init__(manager_id, hostname, message)
        self.manager_id = manager_id
        self.hostname = hostname
        self.is_job_end: bool = details.pop("is_job_end", False)
        self.details = details


class InterchangeLost(ParslError):
    """The interchange process ended, and no worker can be reached without it."""


class VersionMismatch(ParslError):
    """A manager runs another version of Python or of this library than the driver.

    Args:
        interchange_version: The driver's versions, as text.
        manager_version: The manager's versions, as text.
    """

    def __init__(self, interchange_version: str, manager_version: str) -> None:
        super().__init__(interchange_version, manager_version)
        self.interchange_version = interchange_version
        self.manager_version = manager_version

    def __str__(self) -> str:
        return (
            f"The driver runs {self.interchange_version}, a manager {self.manager_version}. "
            "Start both from the same environment: check worker_init and launch_cmd."
        )


class BadNodeWarning(UserWarning):
    """A node gets no tasks for a while, because its workers keep ending while they run tasks."""


class WorkersWarning(UserWarning):
    """Fewer workers run in a block than the configuration requests, or they share few CPUs."""


class ManagerRefusedWarning(UserWarning):
    """A block or a node does no work, because its manager runs other versions than the driver."""
