"""What each task of a worker uses: time, processor time and memory."""

from __future__ import annotations

from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from threading import get_ident
from time import perf_counter, process_time

from parsl.common.process_facts import own_resident_bytes
from parsl.common.system import MAX_RSS_UNIT_BYTES
from parsl.executors.local import task_process
from parsl.vocabulary.run_observer import pack_usage

#: Memory and child processes are measured for tasks that take at least this long, in seconds. In less time,
#: hardly any process starts and ends, and memory hardly grows.
MEASURED_S = 0.001
#: To read the processor time takes as long as a short task. It is not read for tasks that take less time than
#: this, in seconds: they count as using a processor throughout. Nor is it read at the start of a task if this
#: was done less than this time ago.
SHORT_S = 0.000_1


class UsageMeter:
    """Measures one task after the other. Owned by the worker.

    Systems keep the peak memory of a process, not that of a task. It counts for the task in which it has
    risen. Other tasks have what the process uses at their end, and may have used more. The peak of a child
    process counts if it is above that of the worker, which Linux includes in it, and either the child is a
    bash app's command, or the peak of all children has risen.
    """

    def __init__(self, manager: int = -1, worker: int = -1) -> None:
        #: The manager's number and the worker's rank.
        self._place = manager, worker
        #: The process of a bash app, which measures what its command uses.
        self._command = task_process.by_thread[get_ident()] = task_process.TaskProcess()
        self._peak = _peak_bytes(RUSAGE_SELF)
        #: The memory that the worker used when it was last measured, in bytes.
        self._resident = self._peak
        self._children_s, self._children_peak = _children()
        self._start_s = 0.0
        #: The processor time when it was last read, and when that was.
        self._cpu_s = self._read_s = 0.0

    def __repr__(self) -> str:
        return f"<UsageMeter place={self._place} peak={self._peak}>"

    def start(self) -> None:
        """Begin to measure a task."""
        self._start_s = start_s = perf_counter()
        if start_s - self._read_s > SHORT_S:
            self._cpu_s = process_time()
            self._read_s = start_s

    def elapsed_s(self) -> float:
        return perf_counter() - self._start_s

    def stop(self) -> bytes:
        """Return what the task has used, packed for its result."""
        stop_s = perf_counter()
        cpu_s = run_s = stop_s - self._start_s
        peak = self._resident
        if run_s >= SHORT_S:
            before_s, self._cpu_s, self._read_s = self._cpu_s, process_time(), stop_s
            cpu_s = self._cpu_s - before_s
            if run_s >= MEASURED_S:
                children_s, peak = self._measure()
                cpu_s += children_s
        return pack_usage(run_s, cpu_s, peak, *self._place)

    def _measure(self) -> tuple[float, int]:
        """Return the processor time of child processes, and the task's peak memory."""
        before, self._peak = self._peak, _peak_bytes(RUSAGE_SELF)
        self._resident = own_resident_bytes() or self._peak
        own = self._peak if self._peak > before else self._resident
        before_s, before = self._children_s, self._children_peak
        self._children_s, self._children_peak = _children()
        usage, self._command.usage = self._command.usage, None
        if usage is not None:
            child = usage.peak_memory
        else:
            child = self._children_peak if self._children_peak > before else 0
        return self._children_s - before_s, child if child > self._peak else own


def _peak_bytes(who: int) -> int:
    return getrusage(who).ru_maxrss * MAX_RSS_UNIT_BYTES


def _children() -> tuple[float, int]:
    """Return processor time and peak memory of all child processes that were waited for."""
    usage = getrusage(RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * MAX_RSS_UNIT_BYTES
