"""Errors of the high-throughput executor.

ParslError
├── WorkerLost       the worker process of a task ended under it
│   └── WorkerOverMemory  it was ended, because it used more memory than it may
├── ManagerLost      the manager of a task, or its node, was lost
├── InterchangeLost  the interchange process ended
└── VersionMismatch  a manager runs another version of Python or of this library
"""

from __future__ import annotations

from typing import Any

from parsl.errors import AttemptError, ParslError


class CommandClientBadError(ParslError):
    """The interchange could not answer a question of the driver's."""


class CommandClientTimeoutError(ParslError):
    """The interchange did not answer a question of the driver's in time."""


class WorkerLost(AttemptError):
    """The worker process of a task ended under it.

    Args:
        worker_id: the worker's rank on its node.
        hostname: the node.
        message: what is known about the end; a plain sentence if not given.

    Attributes:
        is_worker_loss: always true: the kernel stops trying a task under which several workers have ended.
    """

    is_worker_loss = True

    def __init__(self, worker_id: Any, hostname: str, message: str = "", **details: Any) -> None:
        message = message or f"Task failure due to loss of worker {worker_id} on host {hostname}"
        super().__init__(worker_id, hostname, message)
        self.worker_id = worker_id
        self.hostname = hostname
        #: exit_code, signal, peak_memory (bytes), block, manager, log_tail, where known.
        self.details = details

    @property
    def message(self) -> str:
        """What is known about the end."""
        return str(self.args[-1])

    def __str__(self) -> str:
        return self.message


class WorkerOverMemory(WorkerLost):
    """The worker of a task was ended, because it used more memory than ``mem_per_worker``.

    That is enforced on request only: ``HighThroughputExecutor(enforce_mem_per_worker=True)``.
    """


class ManagerLost(AttemptError):
    """The manager of a task, or its node, was lost.

    Args:
        manager_id: the manager's name.
        hostname: the node.
        message: what is known about the loss; a plain sentence if not given.

    Attributes:
        is_job_end: whether it was the end of the block's job, at its walltime or by somebody's order. That is
            not the task's doing: the kernel tries such a task again, and does not count that as a retry.
    """

    def __init__(self, manager_id: Any, hostname: str, message: str = "", **details: Any) -> None:
        message = message or f"Task failure due to loss of manager {manager_id} on host {hostname}"
        super().__init__(manager_id, hostname, message)
        self.manager_id = manager_id
        self.hostname = hostname
        self.is_job_end: bool = details.pop("is_job_end", False)
        #: As of WorkerLost, and job_state; exit_code and log_tail are those of the job.
        self.details = details

    @property
    def message(self) -> str:
        """What is known about the loss."""
        return str(self.args[-1])

    def __str__(self) -> str:
        return self.message


class InterchangeLost(ParslError):
    """The interchange process ended, and with it the way to all workers."""


class VersionMismatch(ParslError):
    """A manager runs another version of Python or of this library than the driver.

    Args:
        interchange_version: the driver's versions, as text.
        manager_version: the manager's versions, as text.
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
