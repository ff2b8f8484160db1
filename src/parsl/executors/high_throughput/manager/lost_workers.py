"""Workers that have ended under a task: what is said about it, and whether it is the task's doing."""

from __future__ import annotations

import os
import signal
import stat
from collections import deque
from typing import NamedTuple

from parsl.executors.high_throughput.manager.memory_limit import MemoryLimit
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.protocol import Exited, Failure, Task
from parsl.failure_facts import tail_of

#: A worker that gets one of these signals may be the first of all in its job. It is not reported for so many
#: seconds: if the manager gets one too, it is the end of the job, and not the task's doing.
JOB_END_SIGNALS = frozenset({signal.SIGTERM, signal.SIGKILL})
DOUBT_S = 0.5


class PoolIdentity(NamedTuple):
    """Who these workers belong to, for error messages."""

    manager: str
    block: str
    host: str


class _Doubt(NamedTuple):
    task_id: int
    failure: Failure
    began_s: float
    until_s: float


class DeferredFailures:
    """Tasks that were lost with their workers, and are not reported yet; for a short time each.

    Times are seconds on any one monotonic clock.
    """

    def __init__(self) -> None:
        self._doubts: deque[_Doubt] = deque()

    def __repr__(self) -> str:
        return f"<DeferredFailures {len(self._doubts)}>"

    def __len__(self) -> int:
        return len(self._doubts)

    def add(self, task_id: int, failure: Failure, began_s: float, now_s: float) -> None:
        """Keep a failure back."""
        self._doubts.append(_Doubt(task_id, failure, began_s, now_s + DOUBT_S))

    @property
    def until_s(self) -> float:
        """When the next one is over; infinity if there is none."""
        return self._doubts[0].until_s if self._doubts else float("inf")

    def take_ended(self, now_s: float) -> list[tuple[int, Failure]]:
        """Take out the tasks whose worker was killed alone, as it seems by now."""
        ended = []
        while self._doubts and now_s >= self._doubts[0].until_s:
            doubt = self._doubts.popleft()
            ended.append((doubt.task_id, doubt.failure))
        return ended

    def ids(self) -> list[int]:
        """The tasks that are kept back."""
        return [doubt.task_id for doubt in self._doubts]

    def ran_s(self, now_s: float) -> dict[int, float]:
        """For how many seconds each has been running, had it not been killed."""
        return {doubt.task_id: now_s - doubt.began_s for doubt in self._doubts}


def is_doubtful(failure: Failure) -> bool:
    """Whether a worker may have been killed because its job is being ended."""
    return failure.kind == protocol.WORKER_LOST and failure.signal in JOB_END_SIGNALS


def worker_failure(
    identity: PoolIdentity,
    kind: str,
    rank: int,
    task: Task,
    exited: Exited,
    ran_s: float | None = None,
    output_tail: str = "",
    limit: MemoryLimit | None = None,
) -> Failure:
    """What is said about a worker's end.

    Args:
        identity: whose worker it was.
        kind: why it has ended, as in `Failure.kind`.
        rank: which worker it was.
        task: what it had begun.
        exited: how it has ended.
        ran_s: how long the task had been running, in seconds.
        output_tail: the end of what its node has written to stderr.
        limit: how much memory it could use; None for any amount.
    """
    manager, block, host = identity
    code = exited.exit_code
    peak_memory = max(exited.peak_memory, 0 if limit is None else limit.peak_of(exited.pid))
    if kind == protocol.TIMED_OUT:
        text = f"over its walltime of {task.walltime_s:g} s on host {host}: ended, with all its processes"
    elif kind == protocol.CANCELLED:
        text = "cancelled while it was running"
    elif kind == protocol.OVER_MEMORY and limit is not None:
        text = f"Worker {rank} (pid {exited.pid}) on host {host}, block {block}, {limit.describe(exited.pid)}"
    else:
        text = (
            f"Worker {rank} (pid {exited.pid}) on host {host}, block {block}, ended under the task: "
            f"{describe_exit(code)}; its peak memory was {peak_memory / 1e6:.0f} MB."
        )
        if exited.crash_report:
            text += f" What Python says of the crash:\n{exited.crash_report}"
        elif output_tail:
            text += f" The end of what this node's workers have written to stderr:\n{output_tail}"
    return Failure(
        kind,
        text,
        host,
        block,
        manager,
        worker=rank,
        exit_code=code if code >= 0 else None,
        signal=-code if code < 0 else None,
        peak_memory=peak_memory,
        log_tail=exited.crash_report or output_tail,
        pid=exited.pid,
        ran_s=ran_s,
    )


def own_output_tail() -> str:
    """The end of what this process, and those that share its stderr, have written there.

    Nothing where that is no file, but a pipe to a launcher, say.
    """
    try:
        if not stat.S_ISREG(os.fstat(2).st_mode):
            return ""
        path = os.readlink("/proc/self/fd/2")
    except OSError:
        return ""
    return tail_of(path)


def describe_exit(exit_code: int) -> str:
    """An exit code in words; negative for a signal."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = "an unknown signal"
    hint = " (often the kernel, because memory ran out)" if exit_code == -signal.SIGKILL else ""
    return f"killed by signal {-exit_code}, {name}{hint}"
