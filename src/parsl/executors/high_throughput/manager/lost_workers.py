"""Workers that ended while they ran a task: the task's failure, and whether it may be the end of the job."""

from __future__ import annotations

import os
import signal
import stat
from collections import deque
from typing import NamedTuple

from parsl.common.process_facts import path_of_descriptor
from parsl.executors.high_throughput.manager.memory_limit import MemoryLimit
from parsl.executors.high_throughput.manager.state import Worker
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.fork_orders import Exited
from parsl.executors.high_throughput.wire.protocol import Failure, Task
from parsl.failure_facts import tail_of

#: The worker may be the first process of its job to get one of these signals. Its failure is therefore
#: deferred by this time, in seconds: if the manager gets a signal too, the end of the job is to blame.
JOB_END_SIGNALS = frozenset({signal.SIGTERM, signal.SIGKILL})
DEFER_S = 0.5


class PoolIdentity(NamedTuple):
    """The place of a pool of workers, for error messages."""

    manager: str
    block: str
    host: str

    def log_dir(self, root: str) -> str:
        return f"{root}/block-{self.block}/{self.manager}"


class _Deferred(NamedTuple):
    task_id: int
    failure: Failure
    started_s: float
    until_s: float


class DeferredFailures:
    """Tasks that were lost with their workers and are not reported yet. Times are monotonic, in seconds."""

    def __init__(self) -> None:
        self._failures: deque[_Deferred] = deque()

    def __repr__(self) -> str:
        return f"<DeferredFailures {len(self._failures)}>"

    def __len__(self) -> int:
        return len(self._failures)

    def add(self, task_id: int, failure: Failure, started_s: float, now_s: float) -> None:
        self._failures.append(_Deferred(task_id, failure, started_s, now_s + DEFER_S))

    @property
    def until_s(self) -> float:
        """When the next failure is due; infinity if there is none."""
        return self._failures[0].until_s if self._failures else float("inf")

    def take_due(self, now_s: float) -> list[tuple[int, Failure]]:
        due = []
        while self._failures and now_s >= self._failures[0].until_s:
            deferred = self._failures.popleft()
            due.append((deferred.task_id, deferred.failure))
        return due

    def ids(self) -> list[int]:
        return [deferred.task_id for deferred in self._failures]

    def ran_s(self, now_s: float) -> dict[int, float]:
        """Return for how long each task would have been running by now, in seconds."""
        return {deferred.task_id: now_s - deferred.started_s for deferred in self._failures}


def may_be_job_end(failure: Failure) -> bool:
    """Return whether a worker may have been killed because its job is being ended."""
    return failure.kind == protocol.WORKER_LOST and failure.signal in JOB_END_SIGNALS


def worker_failure(
    identity: PoolIdentity,
    kind: str,
    worker: Worker,
    task: Task,
    exited: Exited,
    ran_s: float | None = None,
    output_tail: str = "",
    limit: MemoryLimit | None = None,
) -> Failure:
    """Return the failure of a task whose worker has ended, with a text for the user."""
    manager, block, host = identity
    code = exited.exit_code
    peak_memory = max(exited.peak_memory, worker.peak_memory)
    name = f"Worker {worker.rank} (pid {exited.pid}) on host {host}, block {block},"
    if kind == protocol.TIMED_OUT:
        text = f"exceeded its walltime of {task.walltime_s:g} s on host {host}: ended, with all its processes"
    elif kind == protocol.CANCELLED:
        text = "cancelled while it was running"
    elif kind == protocol.OVER_MEMORY and limit is not None:
        text = f"{name} {limit.describe_excess(worker.peak_memory)}"
    else:
        text = (
            f"{name} ended while it ran the task: {describe_exit(code)}; "
            f"its peak memory was {peak_memory / 1e6:.0f} MB."
        )
        if exited.crash_report:
            text += f" Python's report of the crash:\n{exited.crash_report}"
        elif output_tail:
            text += f" The end of what this node's workers have written to stderr:\n{output_tail}"
    return Failure(
        kind,
        text,
        host,
        block,
        manager,
        worker=worker.rank,
        exit_code=code if code >= 0 else None,
        signal=-code if code < 0 else None,
        peak_memory=peak_memory,
        log_tail=exited.crash_report or output_tail,
        pid=exited.pid,
        ran_s=ran_s,
    )


def own_output_tail() -> str:
    """Return the end of what this node has written to stderr; empty unless stderr is a file."""
    try:
        if not stat.S_ISREG(os.fstat(2).st_mode):
            return ""
        path = path_of_descriptor(2)
    except OSError:
        return ""
    return tail_of(path)


def describe_exit(exit_code: int) -> str:
    """Describe an exit code, which is negative for a signal."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = "an unknown signal"
    hint = " (often the kernel, because memory ran out)" if exit_code == -signal.SIGKILL else ""
    return f"killed by signal {-exit_code}, {name}{hint}"
