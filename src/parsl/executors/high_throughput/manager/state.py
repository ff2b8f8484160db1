"""The decisions of a manager: which worker gets which task, how many to hold, what a worker's death means.

No socket, process or clock in here: told what happened, it answers what to do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from parsl.executors.high_throughput.wire.protocol import Result, Task

#: A worker is given tasks ahead until they are about this much work, in seconds.
WORKER_AHEAD_S = 0.001
#: The manager holds tasks beyond that until they are about this much work for each worker, in seconds.
MANAGER_AHEAD_S = 0.010
#: Most tasks that one worker is given ahead: they fit its socket's buffer.
MAX_AHEAD = 24
#: Most tasks per worker that the manager asks for because they are short.
MAX_HELD_PER_WORKER = 400
#: Weight of the newest duration in the running mean.
_NEWEST = 0.1
#: What handling a task costs beside running it, in seconds: the least duration that is reckoned with.
_OVERHEAD_S = 0.000_02


class Slot:
    """One worker's place on the node: who is in it and which tasks it was given, oldest first."""

    __slots__ = ("ending", "functions", "given", "has_frames", "has_run", "pid", "rank", "started")

    def __init__(self, rank: int) -> None:
        self.rank = rank
        self.pid: int | None = None
        self.given: deque[Task] = deque()
        self.functions: set[bytes] = set()
        #: Its only task came in more than one packet: nothing may be given behind it or be taken back.
        self.has_frames = False
        #: Its worker has brought a result.
        self.has_run = False
        #: Why the worker is being ended, if it is (a Failure kind).
        self.ending: str | None = None
        #: When the oldest given task began, in the caller's seconds.
        self.started = 0.0

    def __repr__(self) -> str:
        return f"<Slot {self.rank} pid={self.pid} given={len(self.given)} ending={self.ending}>"

    @property
    def is_usable(self) -> bool:
        return self.pid is not None and self.ending is None


class ManagerState:
    """Slots, the node's queue, and how far ahead to fetch. Owned by the manager's loop."""

    def __init__(self, workers: int, prefetch: int) -> None:
        self.slots = [Slot(rank) for rank in range(workers)]
        self.queue: deque[Task] = deque()
        self._prefetch = prefetch
        self._mean_run_s: float | None = None
        self._ahead = 0
        #: Names of functions too large to travel inside a packet.
        self.large_functions: set[bytes] = set()
        #: Tasks that are with workers; those among them that have a walltime, that wait behind another one.
        self.running = 0
        self._timed = 0
        self._behind = 0

    def __repr__(self) -> str:
        return f"<ManagerState slots={len(self.slots)} queued={len(self.queue)} given={self.running}>"

    @property
    def held(self) -> int:
        """Tasks that are with this manager."""
        return len(self.queue) + self.running

    def held_ids(self) -> list[int]:
        return [task.id for slot in self.slots for task in slot.given] + [task.id for task in self.queue]

    @property
    def capacity(self) -> int:
        """How many tasks the manager wants to hold: one a worker, the prefetch, more when short."""
        workers = len(self.slots)
        if self._ahead == 0 or self._mean_run_s is None:
            return workers + self._prefetch
        short = min(MAX_HELD_PER_WORKER, int(MANAGER_AHEAD_S / self._mean_run_s))
        return workers * (1 + max(self._ahead, short)) + self._prefetch

    def add(self, tasks: Iterable[Task]) -> None:
        self.queue.extend(tasks)

    def assign(self, now_s: float, slots: Iterable[Slot] | None = None) -> list[tuple[Slot, Task]]:
        """Give queued tasks to workers: idle ones first, then ahead of need where tasks are short.

        Args:
            now_s: the time.
            slots: those that may have room now; all if not given.
        """
        given: list[tuple[Slot, Task]] = []
        queue = self.queue
        if not queue:
            return given
        usable = [slot for slot in (self.slots if slots is None else slots) if slot.is_usable]
        for slot in usable:
            if not queue:
                break
            if not slot.given:
                given.append((slot, self._give(slot, now_s)))
        depth = 1 + min(self._ahead, 1 + len(queue) // len(self.slots))
        for slot in usable:
            while queue and len(slot.given) < depth and not slot.has_frames:
                if self._brings_frames(slot, queue[0]):
                    break
                given.append((slot, self._give(slot, now_s)))
        return given

    def _brings_frames(self, slot: Slot, task: Task) -> bool:
        is_large = task.function in self.large_functions and task.function not in slot.functions
        return bool(task.sizes) or is_large

    def _give(self, slot: Slot, now_s: float) -> Task:
        task = self.queue.popleft()
        if slot.given:
            self._behind += 1
        else:
            slot.started = now_s
            slot.has_frames = self._brings_frames(slot, task)
        slot.given.append(task)
        self.running += 1
        self._timed += task.walltime_s is not None
        return task

    def finish(self, slot: Slot, result: Result, now_s: float) -> Task:
        """A worker has brought a result: always that of its oldest task."""
        if not slot.given or slot.given[0].id != result.id:
            raise ValueError(f"{slot!r} answered task {result.id}, which is not its oldest")
        task = slot.given.popleft()
        slot.has_frames = False
        slot.has_run = True
        self._behind -= bool(slot.given)
        self.running -= 1
        self._timed -= task.walltime_s is not None
        slot.started = now_s
        self._learn(result.run_s)
        return task

    def _learn(self, run_s: float) -> None:
        run_s += _OVERHEAD_S
        mean = self._mean_run_s
        if mean is None or run_s > 10 * mean:
            mean = run_s  # a long task after short ones: at once, not by and by
        else:
            mean += _NEWEST * (run_s - mean)
        self._mean_run_s = mean
        self._ahead = min(MAX_AHEAD, int(WORKER_AHEAD_S / mean))

    def to_relieve(self) -> Slot | None:
        """A busy worker whose waiting tasks should be taken back, because another has nothing to do."""
        if self.queue or not self._behind:
            return None
        usable = [slot for slot in self.slots if slot.is_usable]
        if all(slot.given for slot in usable):
            return None
        fullest = max(self.slots, key=lambda slot: len(slot.given))
        return fullest if len(fullest.given) > 1 else None

    def take_back(self, slot: Slot, ids: Sequence[int]) -> None:
        """Tasks that were read back unbegun go to the head of the queue again, in their order."""
        unbegun = set(ids)
        before = max(0, len(slot.given) - 1)
        tasks = [task for task in slot.given if task.id in unbegun]
        for task in tasks:
            slot.given.remove(task)
            self._timed -= task.walltime_s is not None
        self.running -= len(tasks)
        self._behind -= before - max(0, len(slot.given) - 1)
        self.queue.extendleft(reversed(tasks))

    def worker_gone(self, slot: Slot) -> list[Task]:
        """The slot's worker has ended; what it had not begun is taken back.

        Returns: what it had begun, at most one task.
        """
        begun = [slot.given.popleft()] if slot.given else []
        self.running -= len(begun)
        self._behind -= bool(slot.given)
        self._timed -= sum(task.walltime_s is not None for task in begun)
        self.take_back(slot, [task.id for task in slot.given])
        slot.pid = None
        slot.ending = None
        slot.has_frames = False
        slot.has_run = False
        slot.functions = set()
        return begun

    def forget(self, task_id: int) -> bool:
        """Drop a queued task. Returns: whether it was there."""
        for task in self.queue:
            if task.id == task_id:
                self.queue.remove(task)
                return True
        return False

    def slot_of(self, task_id: int) -> Slot | None:
        """The slot whose worker was given the task."""
        for slot in self.slots:
            if any(task.id == task_id for task in slot.given):
                return slot
        return None

    def overdue(self, now_s: float) -> list[Slot]:
        """Slots whose running task is over its walltime."""
        if not self._timed:
            return []
        return [slot for slot in self.slots if (limit := self._deadline(slot)) is not None and now_s >= limit]

    def next_deadline(self) -> float | None:
        """When the next running task will be over its walltime."""
        if not self._timed:
            return None
        deadlines = [limit for slot in self.slots if (limit := self._deadline(slot)) is not None]
        return min(deadlines, default=None)

    @staticmethod
    def _deadline(slot: Slot) -> float | None:
        if not slot.given or slot.ending or slot.given[0].walltime_s is None:
            return None
        return slot.started + slot.given[0].walltime_s
