"""Which block gets which task: decisions without sockets, threads and clocks of their own."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from types import CodeType
from typing import NamedTuple

from parsl.executors.engines.short_functions import ShortFunctions
from parsl.executors.flux.protocol import Register, Shape

#: A block gets this many jobs per core at most: enough for Flux to choose from, and the rest may still go to
#: blocks that start later.
JOBS_PER_CORE = 2
#: The same for a block whose number of cores is unknown, and the least for any.
MIN_JOBS = 16


class Waiting(NamedTuple):
    """A task that no block has got yet."""

    number: int
    shape: Shape
    call: bytes
    #: What stands for its function, see ``code_of``.
    code: CodeType | None = None


class Job:
    """A job of a block, with the tasks that have not ended."""

    __slots__ = ("block", "is_shared", "tasks")

    def __init__(self, block: Block, tasks: Sequence[Waiting]) -> None:
        self.block = block
        self.is_shared = len(tasks) > 1
        #: By number. Tasks that share a job may have to be assigned again, and their calls are small.
        self.tasks = {task.number: task if self.is_shared else task._replace(call=b"") for task in tasks}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of tasks {list(self.tasks)}>"


class Block:
    """A connected block."""

    def __init__(self, identity: bytes, facts: Register, now_s: float) -> None:
        self.identity = identity
        self.facts = facts
        self.jobs: set[Job] = set()
        self.heard_s = now_s
        #: Since when it has had no task.
        self.idle_since_s = now_s
        #: Whether it gets no more tasks, because it is about to be cancelled.
        self.is_held = False

    def __repr__(self) -> str:
        return f"<Block {self.facts.block_id} on {self.facts.host} jobs={len(self.jobs)}>"

    @property
    def room(self) -> int:
        """How many more jobs it may get."""
        return 0 if self.is_held else max(MIN_JOBS, JOBS_PER_CORE * self.facts.cores) - len(self.jobs)

    @property
    def task_count(self) -> int:
        """How many tasks it has."""
        return sum(len(job.tasks) for job in self.jobs)

    def has_enough(self, shape: Shape) -> bool:
        """Return whether it can ever run a job of this shape; unknown sizes count as enough."""
        facts = self.facts
        if not facts.cores:
            return True
        return shape.cores <= facts.cores and shape.gpus <= facts.gpus and shape.num_nodes <= facts.nodes


class Dispatch:
    """The queue of an executor and its blocks. The caller owns a lock.

    Args:
        functions: Which functions are short: tasks of these may share a job.
        max_together: How many tasks share a job, at most.
    """

    def __init__(self, functions: ShortFunctions, max_together: int) -> None:
        self.waiting: deque[Waiting] = deque()
        self.blocks: dict[bytes, Block] = {}
        self._functions = functions
        self._max_together = max_together
        self._job_of: dict[int, Job] = {}

    def __repr__(self) -> str:
        return f"<Dispatch waiting={len(self.waiting)} blocks={list(self.blocks.values())}>"

    def assign(self) -> list[tuple[Block, list[Waiting]]]:
        """Assign what waits to blocks with room, in order; return the jobs as blocks with tasks."""
        found: list[tuple[Block, list[Waiting]]] = []
        free = [block for block in self.blocks.values() if block.room > 0]
        passed: list[Waiting] = []
        while self.waiting and free:
            fitting = [block for block in free if block.has_enough(self.waiting[0].shape)]
            if not fitting:
                passed.append(self.waiting.popleft())
                continue
            block = max(fitting, key=lambda block: block.room)
            tasks = self._take_job()
            job = Job(block, tasks)
            block.jobs.add(job)
            self._job_of.update(dict.fromkeys(job.tasks, job))
            found.append((block, tasks))
            if block.room <= 0:
                free.remove(block)
        self.waiting.extendleft(reversed(passed))
        return found

    def _take_job(self) -> list[Waiting]:
        """Take the task that has waited longest, and short ones after it that may share its job."""
        cores = sum(block.facts.cores or MIN_JOBS for block in self.blocks.values())
        share = -(-len(self.waiting) // cores)  # so that the last tasks keep all cores busy
        tasks = [self.waiting.popleft()]
        shape = tasks[0].shape
        if self._may_share(tasks[0]):
            while (
                len(tasks) < min(share, self._max_together)
                and self.waiting
                and self.waiting[0].shape == shape
                and self._may_share(self.waiting[0])
            ):
                tasks.append(self.waiting.popleft())
        return tasks

    def _may_share(self, task: Waiting) -> bool:
        return task.shape.num_tasks == 1 and self._functions.cover(task.code, len(task.call))

    def put_back(self, numbers: Sequence[int]) -> None:
        """Let tasks wait again, before all others, that a job has not started."""
        tasks = [job.tasks[number] for number in numbers if (job := self._job_of.get(number)) is not None]
        self.waiting.extendleft(reversed(tasks))

    def ended(self, numbers: Sequence[int], now_s: float) -> None:
        """Forget tasks that a block had."""
        for number in numbers:
            job = self._job_of.pop(number, None)
            if job is None:
                continue
            del job.tasks[number]
            if not job.tasks:
                job.block.jobs.discard(job)
                if not job.block.jobs:
                    job.block.idle_since_s = now_s

    def cancel(self, number: int) -> Job | None:
        """Forget a task that waits; return its job if it has one, which has to be cancelled."""
        job = self._job_of.get(number)
        if job is None:
            self.waiting = deque(task for task in self.waiting if task.number != number)
        return job

    def remove(self, block: Block) -> list[int]:
        """Forget a block that is lost, and return the tasks that are lost with it."""
        self.blocks.pop(block.identity, None)
        lost = sorted(number for job in block.jobs for number in job.tasks)
        for number in lost:
            self._job_of.pop(number, None)
        block.jobs.clear()
        return lost

    def silent(self, now_s: float, limit_s: float) -> list[Block]:
        """Return the blocks that have sent nothing for longer than the limit."""
        return [block for block in self.blocks.values() if now_s - block.heard_s > limit_s]

    def take_impossible(self) -> list[tuple[Waiting, str]]:
        """Forget waiting tasks that no connected block can ever run; return them with the reasons."""
        impossible = [(task, reason) for task in self.waiting if (reason := self.shortage(task.shape))]
        numbers = {task.number for task, _ in impossible}
        self.waiting = deque(task for task in self.waiting if task.number not in numbers)
        return impossible

    def shortage(self, shape: Shape) -> str:
        """Return why no connected block can ever run a job of this shape; empty if one can."""
        if not self.blocks or any(block.has_enough(shape) for block in self.blocks.values()):
            return ""
        facts = max((block.facts for block in self.blocks.values()), key=lambda facts: facts.cores)
        nodes = shape.num_nodes or "any number of"
        return (
            f"the task requests {shape.cores} cores, {shape.gpus} GPUs and {nodes} nodes, and "
            f"a block has {facts.cores} cores, {facts.gpus} GPUs and {facts.nodes} nodes"
        )
