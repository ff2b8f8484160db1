"""A cluster and an executor that exist only in simulated time.

The executor is a real :class:`BlockProviderExecutor`, scaled by a real :class:`JobStatusPoller`
without its thread; the batch scheduler, the managers and the clock are simulated, one second a tick.
A violated guarantee is an AssertionError in the tick in which it happens.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from parsl.executors.blocks.block_set import BlockListener
from parsl.executors.blocks.views import BlockActivity
from parsl.executors.high_throughput.interchange.task_queue import TimeOffered
from parsl.executors.high_throughput.wire.protocol import Task
from parsl.executors.status_handling import BlockProviderExecutor
from parsl.jobs.job_status_poller import JobStatusPoller
from parsl.jobs.states import JobState, JobStatus
from parsl.providers.base import ExecutionProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

FOREVER_S = 10.0**9


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass(frozen=True)
class JobPlan:
    """The planned life of a job: its time in the queue, its running time, and its end."""

    queued_s: float = 0.0
    runs_s: float = FOREVER_S
    end: JobState = JobState.COMPLETED
    is_refused: bool = False


@dataclass
class Job:
    block_id: str
    plan: JobPlan
    submitted_s: float
    cancelled_s: float | None = None
    end_is_known: bool = False

    def state(self, now_s: float) -> JobState:
        starts_s = self.submitted_s + self.plan.queued_s
        ends_s = starts_s + self.plan.runs_s
        if self.cancelled_s is not None and self.cancelled_s <= min(now_s, ends_s):
            return JobState.CANCELLED
        if now_s >= ends_s:
            return self.plan.end
        return JobState.RUNNING if now_s >= starts_s else JobState.PENDING


class Cluster(ExecutionProvider):
    """A batch scheduler whose jobs go as planned, the n-th job by ``plan(n)``.

    ``cancel_takes_s``: how long a cancelled job continues. ``is_down``: whether its commands fail.
    """

    submits_at_once = True

    def __init__(
        self,
        clock: Clock,
        plan: Callable[[int], JobPlan] = lambda number: JobPlan(),
        *,
        init_blocks: int = 1,
        min_blocks: int = 0,
        max_blocks: int = 10,
        parallelism: float = 1.0,
        status_interval_s: int = 5,
    ) -> None:
        self.set_block_limits(
            nodes_per_block=1,
            init_blocks=init_blocks,
            min_blocks=min_blocks,
            max_blocks=max_blocks,
            parallelism=parallelism,
        )
        self._clock = clock
        self._plan = plan
        self._status_interval_s = status_interval_s
        self.jobs: dict[str, Job] = {}
        self.submissions: list[float] = []
        self.cancelled: list[str] = []
        self.status_calls: list[list[object]] = []
        self.cancel_takes_s = 0.0
        self.is_down = False

    @property
    def label(self) -> str:
        return "cluster"

    @property
    def status_polling_interval(self) -> int:
        return self._status_interval_s

    def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl.auto") -> object:
        plan = self._plan(len(self.submissions))
        self.submissions.append(self._clock())
        if plan.is_refused:
            raise RuntimeError("qsub: would exceed the queue's limit")
        job_id = f"{len(self.submissions)}.pbs"
        self.jobs[job_id] = Job(command, plan, self._clock())
        live = self.live_jobs()
        assert len(live) <= max(self.max_blocks, self.init_blocks), f"{len(live)} jobs at once"
        return job_id

    def status(self, job_ids: Sequence[object]) -> Sequence[JobStatus]:
        self.status_calls.append(list(job_ids))
        if self.is_down:
            raise TimeoutError("qstat: cannot connect to server")
        statuses = []
        for job_id in job_ids:
            job = self.jobs[str(job_id)]
            assert not job.end_is_known, f"{job_id} is queried again, though it has ended"
            status = JobStatus(job.state(self._clock()))
            job.end_is_known = status.terminal
            statuses.append(status)
        return statuses

    def cancel(self, job_ids: Sequence[object]) -> Sequence[bool]:
        if self.is_down:
            raise TimeoutError("qdel: cannot connect to server")
        for job_id in job_ids:
            job = self.jobs[str(job_id)]
            assert not job.end_is_known, f"{job_id} is cancelled, though it is known to have ended"
            if job.cancelled_s is None:
                job.cancelled_s = self._clock() + self.cancel_takes_s
            self.cancelled.append(job.block_id)
        return [True] * len(job_ids)

    def states(self) -> dict[str, JobState]:
        """The true state of each block's job, by block id."""
        return {job.block_id: job.state(self._clock()) for job in self.jobs.values()}

    @property
    def longest_s(self) -> float:
        """The running time of the longest job so far."""
        return max(job.plan.runs_s for job in self.jobs.values())

    def left_s(self, block_id: str) -> float:
        """The remaining time of a block's job."""
        [job] = [job for job in self.jobs.values() if job.block_id == block_id]
        return job.submitted_s + job.plan.queued_s + job.plan.runs_s - self._clock()

    def live_jobs(self) -> list[str]:
        return [block for block, state in self.states().items() if not JobStatus(state).terminal]


@dataclass
class Managed:
    """The managers of one block, and the ends of the tasks they run."""

    ends_s: list[float] = field(default_factory=list)
    idle_since_s: float = 0.0
    is_leaving: bool = False


class Farm(BlockProviderExecutor):
    """An executor whose tasks are durations; a task whose block ends is queued again."""

    label = "farm"

    def __init__(self, cluster: Cluster, clock: Clock, workers_per_block: int, handler: Any = False) -> None:
        self._clock = clock
        super().__init__(provider=cluster, block_error_handler=handler, clock=clock)
        self.cluster = cluster
        self.workers = workers_per_block
        self.queue: deque[float] = deque()
        self.managed: dict[str, Managed] = {}
        self.finished = 0
        self.failed_with: BaseException | None = None
        self.knows_workers = True
        #: Whether tasks have a known runtime: they start only in blocks with enough time left.
        self.has_runtimes = False

    def launch_command(self, block_id: str) -> str:
        return block_id

    def block_activity(self) -> dict[str, BlockActivity]:
        return {
            block_id: BlockActivity(
                managers=1,
                workers=self.workers,
                tasks=len(block.ends_s),
                idle_s=0.0 if block.ends_s else self._clock() - block.idle_since_s,
            )
            for block_id, block in self.managed.items()
        }

    @property
    def workers_per_node(self) -> int | None:
        return self.workers if self.knows_workers or self.managed else None

    def outstanding(self) -> int:
        return len(self.queue) + sum(len(block.ends_s) for block in self.managed.values())

    def outstanding_without_time(self) -> int:
        if not self.has_runtimes or not self.managed:
            return 0
        offered = TimeOffered(max(map(self._left_s, self.managed)), self.cluster.longest_s)
        tasks = [Task(0, b"", b"", runtime_s=duration_s) for duration_s in self.queue]
        return sum(map(offered.is_too_little_for, tasks))

    def _left_s(self, block_id: str) -> float:
        return self.cluster.left_s(block_id) if self.has_runtimes else FOREVER_S

    def fail_outstanding(self, exception: BaseException) -> None:
        self.failed_with = exception
        self.queue.clear()
        for block in self.managed.values():
            block.ends_s.clear()

    def prepare_scale_in(self, block_ids: list[str]) -> list[str]:
        for block_id in block_ids:
            block = self.managed.get(block_id)
            assert block is None or not block.ends_s, f"busy block {block_id} is scaled in"
            if block is not None:
                block.is_leaving = True
        return block_ids

    def submit(self, func: Any, resource_specification: Any, *args: Any, **kwargs: Any) -> Future[Any]:
        raise NotImplementedError("use add_tasks")

    def shutdown(self) -> None:
        self.blocks.cancel_all()

    def add_tasks(self, count: int, duration_s: float) -> None:
        self.queue.extend([duration_s] * count)
        self.blocks.tasks_added(self.outstanding())

    def tick(self) -> None:
        """Let managers come and go with their jobs, and tasks end and start."""
        now_s = self._clock()
        running = {block for block, state in self.cluster.states().items() if state is JobState.RUNNING}
        for block_id in set(self.managed) - running:
            ended = self.managed.pop(block_id)
            self.queue.extend([1.0] * len(ended.ends_s))
            self.blocks.process_lost()
        for block_id in sorted(running - set(self.managed), key=int):
            self.managed[block_id] = Managed(idle_since_s=now_s)
            self.blocks.manager_connected(block_id)
        for block_id, block in self.managed.items():
            if not block.is_leaving:
                self._run_tasks(block, now_s, self._left_s(block_id))

    def _run_tasks(self, block: Managed, now_s: float, left_s: float) -> None:
        had_tasks = bool(block.ends_s)
        self.finished += sum(end_s <= now_s for end_s in block.ends_s)
        block.ends_s = [end_s for end_s in block.ends_s if end_s > now_s]
        while len(block.ends_s) < self.workers and (duration_s := self._take(left_s)) is not None:
            block.ends_s.append(now_s + duration_s)
        if had_tasks or block.ends_s:
            block.idle_since_s = now_s

    def _take(self, left_s: float) -> float | None:
        for duration_s in self.queue:
            if duration_s <= left_s:
                self.queue.remove(duration_s)
                return duration_s
        return None


class Simulation(BlockListener):
    """A farm on a cluster, second by second."""

    def __init__(
        self,
        plan: Callable[[int], JobPlan] = lambda number: JobPlan(),
        *,
        workers_per_block: int = 1,
        strategy: str | None = "simple",
        max_idletime_s: float = 120.0,
        handler: Any = False,
        **limits: Any,
    ) -> None:
        self.clock = Clock()
        self.started_s = self.clock()
        self.cluster = Cluster(self.clock, plan, **limits)
        self.farm = Farm(self.cluster, self.clock, workers_per_block, handler)
        self.poller = JobStatusPoller(
            strategy=strategy, strategy_period=5, max_idletime=max_idletime_s, clock=self.clock
        )
        self.poller.watch([self.farm])
        self._next_update_s = self.clock()
        self._is_woken = False
        self.farm.blocks.add_listener(self)
        self.block_counts: list[int] = []
        self.farm.blocks.start()

    def blocks_changed(self) -> None:
        self._is_woken = True

    def run(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.tick()

    def run_until_idle(self, limit_s: float) -> None:
        end_s = self.clock() + limit_s
        while self.farm.outstanding():
            assert self.clock() < end_s, f"{self.farm.outstanding()} tasks not done after {limit_s} s"
            self.tick()

    def tick(self) -> None:
        self.farm.tick()
        if self._is_woken or self.clock() >= self._next_update_s:
            self._is_woken = False
            self._next_update_s = self.clock() + self.poller.update_all()
            self.farm.tick()
        self.block_counts.append(len(self.cluster.live_jobs()))
        self.clock.now_s += 1
