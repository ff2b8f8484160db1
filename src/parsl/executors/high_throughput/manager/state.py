"""The decisions of a manager, without sockets, processes or clocks: methods return what to do."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Sequence

from parsl.executors.high_throughput.wire.protocol import Result, Task
from parsl.vocabulary.run_observer import run_s_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.executors.high_throughput.manager.worker_link import WorkerLink

#: A worker gets tasks ahead of need up to about this much work, in seconds.
WORKER_AHEAD_S = 0.001
#: The manager holds more tasks up to about this much work for each worker, in seconds.
MANAGER_AHEAD_S = 0.010
#: How many tasks one worker gets ahead at most: they fit its socket's buffer.
MAX_AHEAD = 24
#: How many tasks per worker the manager requests at most because they are short.
MAX_HELD_PER_WORKER = 400
#: Weight of the newest duration in the running mean.
_NEWEST = 0.1
#: The cost of handling a task in addition to running it, in seconds: the least duration that is assumed.
_OVERHEAD_S = 0.000_02


class Worker:
    """One worker process and its tasks. When it is lost, a new object takes its place on the node."""

    __slots__ = (
        "ending", "functions", "given", "has_frames", "has_run", "link",
        "peak_memory", "pid", "rank", "started", "used_cpu_s",
    )  # fmt: skip

    def __init__(self, rank: int) -> None:
        self.rank = rank
        #: None until the fork server has started the process.
        self.pid: int | None = None
        #: Its tasks, oldest first.
        self.given: deque[Task] = deque()
        #: Names of the functions that it has received.
        self.functions: set[bytes] = set()
        #: Its only task took more than one packet: no other may follow it, and it is not taken back.
        self.has_frames = False
        #: Whether it has returned a result.
        self.has_run = False
        #: Why the worker is being ended, if it is (a Failure kind).
        self.ending: str | None = None
        #: When its oldest task began to run, in the caller's seconds.
        self.started = 0.0
        #: The highest measured memory, in bytes, of the worker and its processes.
        self.peak_memory = 0
        #: The processor time of its ended tasks, in seconds; only counted where tasks are sampled.
        self.used_cpu_s = 0.0
        #: The channel to it; None before it is opened.
        self.link: WorkerLink | None = None

    def __repr__(self) -> str:
        return f"<Worker {self.rank} pid={self.pid} given={len(self.given)} ending={self.ending}>"

    @property
    def is_usable(self) -> bool:
        return self.pid is not None and self.ending is None


class NodePool:
    """The nodes of a block. Owned by the manager's loop.

    Each belongs to at most one task, or is shared by tasks that the interchange has put together under one
    number.
    """

    def __init__(self, nodes: Sequence[str]) -> None:
        if len(set(nodes)) != len(nodes):
            raise ValueError(f"the names of a block's nodes are not all different: {list(nodes)}")
        self._nodes = tuple(nodes)
        #: A heap of indices: neighbours in the list are mostly neighbours in the machine.
        self._free = list(range(len(nodes)))
        self._taken: dict[int, tuple[int, ...]] = {}
        #: The shared nodes by their numbers, and the tasks on each.
        self._shared: dict[int, tuple[int, set[int]]] = {}

    def __repr__(self) -> str:
        return f"<NodePool nodes={len(self._nodes)} free={len(self._free)} tasks={len(self._taken)}>"

    @property
    def free(self) -> int:
        return len(self._free)

    def of(self, task_id: int) -> tuple[str, ...]:
        return tuple(self._nodes[at] for at in self._taken.get(task_id, ()))

    def take(self, task_id: int, count: int, shared_node: int | None = None) -> tuple[str, ...] | None:
        """Return nodes for a task; a task that has nodes keeps them. None if not enough nodes are free.

        With the number of a shared node, the task gets the node of that number, which is a free one at first.
        """
        if task_id not in self._taken:
            if shared_node in self._shared:
                at, tasks = self._shared[shared_node]
                tasks.add(task_id)
                self._taken[task_id] = (at,)
                return self.of(task_id)
            if not 1 <= count <= len(self._free):
                return None
            self._taken[task_id] = tuple(heapq.heappop(self._free) for _ in range(count))
            if shared_node is not None:
                self._shared[shared_node] = self._taken[task_id][0], {task_id}
        return self.of(task_id)

    def release(self, task_id: int) -> bool:
        """Free the nodes of a task. Return whether it had any."""
        indices = self._taken.pop(task_id, ())
        if not self._leave_shared(task_id):
            for at in indices:
                heapq.heappush(self._free, at)
        return bool(indices)

    def _leave_shared(self, task_id: int) -> bool:
        """Return whether the task leaves a shared node on which other tasks are left."""
        for number, (_, tasks) in self._shared.items():
            if task_id in tasks:
                tasks.discard(task_id)
                if not tasks:
                    del self._shared[number]
                return bool(tasks)
        return False

    def validate(self) -> None:
        """Check for tests that no node is lost, or belongs to two tasks that do not share it."""
        sharing = {task_id for _, tasks in self._shared.values() for task_id in tasks}
        own = [at for task_id, taken in self._taken.items() if task_id not in sharing for at in taken]
        indices = [*self._free, *own, *(at for at, _ in self._shared.values())]
        assert sorted(indices) == list(range(len(self._nodes))), f"{self!r} has {sorted(indices)}"


def _take_nodes(nodes: NodePool, task: Task) -> bool:
    shared_node = None if task.resources is None else task.resources.shared_node
    return nodes.take(task.id, task.num_nodes, shared_node) is not None


class ManagerState:
    """The workers, the node's queue, and how far ahead to fetch. Owned by the manager's loop.

    With ``nodes``, a task has nodes of its own from its first start until it ends, in whatever way; a task
    that was taken back before it started keeps them. No task is fetched or given to a worker ahead of need:
    others wait at the interchange, which sees the nodes of all blocks.
    """

    def __init__(self, workers: int, prefetch: int, nodes: NodePool | None = None) -> None:
        #: By rank.
        self.workers = [Worker(rank) for rank in range(workers)]
        self.queue: deque[Task] = deque()
        #: How many tasks the interchange has sent so far.
        self.accepted = 0
        self._nodes = nodes
        self._max_ahead = MAX_AHEAD if nodes is None else 0
        self._prefetch = prefetch
        self._mean_run_s: float | None = None
        self._ahead = 0
        #: Names of functions too large to travel inside a packet.
        self.large_functions: set[bytes] = set()
        #: Number of tasks that workers have; of these, those with a walltime, and those behind another task.
        self.running = 0
        self._timed = 0
        self._behind = 0

    def __repr__(self) -> str:
        return f"<ManagerState workers={len(self.workers)} queued={len(self.queue)} given={self.running}>"

    @property
    def held(self) -> int:
        return len(self.queue) + self.running

    def held_ids(self) -> list[int]:
        given = [task for worker in self.workers for task in worker.given]
        return [task.id for task in (*given, *self.queue)]

    @property
    def capacity(self) -> int:
        """How many tasks the manager can hold: one per worker, the prefetch, and more if tasks are short."""
        workers = len(self.workers)
        if self._ahead == 0 or self._mean_run_s is None:
            return workers + self._prefetch
        short = min(MAX_HELD_PER_WORKER, int(MANAGER_AHEAD_S / self._mean_run_s))
        return workers * (1 + max(self._ahead, short)) + self._prefetch

    def add(self, tasks: Sequence[Task]) -> None:
        self.accepted += len(tasks)
        self.queue.extend(tasks)

    def assign(self, now_s: float, workers: Iterable[Worker] | None = None) -> list[tuple[Worker, Task]]:
        """Give queued tasks to idle workers first, then ahead of need if tasks are short.

        ``workers`` are those that may have become idle; None for all. Nodes that were given back serve any.
        """
        given: list[tuple[Worker, Task]] = []
        queue = self.queue
        if not queue:
            return given
        if self._nodes is not None:
            return self._assign_with_nodes(self._nodes, now_s)
        usable = [worker for worker in (self.workers if workers is None else workers) if worker.is_usable]
        for worker in usable:
            if not queue:
                break
            if not worker.given:
                given.append((worker, self._assign_next(worker, now_s)))
        depth = 1 + min(self._ahead, 1 + len(queue) // len(self.workers))
        for worker in usable:
            while queue and len(worker.given) < depth and not worker.has_frames:
                if self._needs_frames(worker, queue[0]):
                    break
                given.append((worker, self._assign_next(worker, now_s)))
        return given

    def _assign_with_nodes(self, nodes: NodePool, now_s: float) -> list[tuple[Worker, Task]]:
        """Give each idle worker the first task for which enough nodes are free."""
        given: list[tuple[Worker, Task]] = []
        for worker in self.workers:
            if worker.is_usable and not worker.given:
                if (task := next((task for task in self.queue if _take_nodes(nodes, task)), None)) is None:
                    break
                self.queue.remove(task)
                self.queue.appendleft(task)
                given.append((worker, self._assign_next(worker, now_s)))
        return given

    def _needs_frames(self, worker: Worker, task: Task) -> bool:
        is_large = task.function in self.large_functions and task.function not in worker.functions
        return bool(task.sizes) or is_large

    def _assign_next(self, worker: Worker, now_s: float) -> Task:
        task = self.queue.popleft()
        if worker.given:
            self._behind += 1
        else:
            worker.started = now_s
            worker.has_frames = self._needs_frames(worker, task)
        worker.given.append(task)
        self.running += 1
        self._timed += task.walltime_s is not None
        return task

    def finish(self, worker: Worker, result: Result, now_s: float) -> Task:
        """Note a worker's result, which is always that of its oldest task. Return the task."""
        if not worker.given or worker.given[0].id != result.id:
            raise ValueError(f"{worker!r} answered task {result.id}, which is not its oldest")
        task = worker.given.popleft()
        worker.has_frames = False
        worker.has_run = True
        self._behind -= bool(worker.given)
        self.running -= 1
        self._timed -= task.walltime_s is not None
        worker.started = now_s
        self._learn(run_s_of(result.usage))
        if self._nodes is not None:
            self._nodes.release(task.id)
        return task

    def _learn(self, run_s: float) -> None:
        run_s += _OVERHEAD_S
        mean = self._mean_run_s
        if mean is None or run_s > 10 * mean:
            mean = run_s  # adapt at once, not gradually, to a long task after short ones
        else:
            mean += _NEWEST * (run_s - mean)
        self._mean_run_s = mean
        self._ahead = min(self._max_ahead, int(WORKER_AHEAD_S / mean))

    def overloaded(self) -> Worker | None:
        """Return a worker whose waiting tasks should be taken back because another worker is idle."""
        if self.queue or not self._behind:
            return None
        if all(worker.given for worker in self.workers if worker.is_usable):
            return None
        fullest = max(self.workers, key=lambda worker: len(worker.given))
        return fullest if len(fullest.given) > 1 else None

    def take_back(self, worker: Worker, ids: Sequence[int]) -> None:
        """Put tasks that a worker has not started back at the head of the queue, in their order."""
        unstarted = set(ids)
        before = max(0, len(worker.given) - 1)
        tasks = [task for task in worker.given if task.id in unstarted]
        for task in tasks:
            worker.given.remove(task)
            self._timed -= task.walltime_s is not None
        self.running -= len(tasks)
        self._behind -= before - max(0, len(worker.given) - 1)
        self.queue.extendleft(reversed(tasks))

    def lose(self, worker: Worker) -> list[Task]:
        """Replace a worker that has ended, and queue its other tasks. Return the task that it had started."""
        started_tasks = [worker.given.popleft()] if worker.given else []
        self.running -= len(started_tasks)
        self._behind -= bool(worker.given)
        self._timed -= sum(task.walltime_s is not None for task in started_tasks)
        self.take_back(worker, [task.id for task in worker.given])
        self.workers[worker.rank] = Worker(worker.rank)
        worker.pid = None  # references that are left to it must not make it usable
        if self._nodes is not None:
            for task in started_tasks:
                self._nodes.release(task.id)
        return started_tasks

    def forget(self, task_id: int) -> bool:
        """Drop a task from the queue. Return whether it was there."""
        for task in self.queue:
            if task.id == task_id:
                self.queue.remove(task)
                if self._nodes is not None:
                    self._nodes.release(task_id)
                return True
        return False

    def worker_of(self, task_id: int) -> Worker | None:
        for worker in self.workers:
            if any(task.id == task_id for task in worker.given):
                return worker
        return None

    def overdue(self, now_s: float) -> list[Worker]:
        return [worker for limit, worker in self._deadlines() if now_s >= limit] if self._timed else []

    def next_deadline(self) -> float | None:
        return min((limit for limit, _ in self._deadlines()), default=None) if self._timed else None

    def _deadlines(self) -> list[tuple[float, Worker]]:
        return [
            (worker.started + worker.given[0].walltime_s, worker)
            for worker in self.workers
            if worker.given and not worker.ending and worker.given[0].walltime_s is not None
        ]

    def validate(self) -> None:
        """Check for tests that the counters match the tasks of the workers."""
        given = [task for worker in self.workers for task in worker.given]
        timed = sum(task.walltime_s is not None for task in given)
        behind = sum(max(0, len(worker.given) - 1) for worker in self.workers)
        assert (self.running, self._timed, self._behind) == (len(given), timed, behind), repr(self)
