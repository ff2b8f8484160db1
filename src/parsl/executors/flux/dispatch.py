"""Which block gets which task: decisions without sockets, threads and clocks of their own."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from parsl.executors.flux.protocol import Register, Shape

#: A block gets this many tasks per core at most: enough for Flux to choose from, and the rest may still go to
#: blocks that start later.
TASKS_PER_CORE = 2
#: The same for a block whose number of cores is unknown, and the least for any.
MIN_TASKS = 16


class Waiting(NamedTuple):
    """A task that no block has got yet."""

    number: int
    shape: Shape
    call: bytes


class Block:
    """A connected block."""

    def __init__(self, identity: bytes, facts: Register, now_s: float) -> None:
        self.identity = identity
        self.facts = facts
        self.tasks: set[int] = set()
        self.heard_s = now_s
        #: Since when it has had no task.
        self.idle_since_s = now_s
        #: Whether it gets no more tasks, because it is about to be cancelled.
        self.is_held = False

    def __repr__(self) -> str:
        return f"<Block {self.facts.block_id} on {self.facts.host} tasks={len(self.tasks)}>"

    @property
    def room(self) -> int:
        """How many more tasks it may get."""
        return 0 if self.is_held else max(MIN_TASKS, TASKS_PER_CORE * self.facts.cores) - len(self.tasks)

    def has_enough(self, shape: Shape) -> bool:
        """Return whether it can ever run a job of this shape; unknown sizes count as enough."""
        facts = self.facts
        if not facts.cores:
            return True
        return shape.cores <= facts.cores and shape.gpus <= facts.gpus and shape.num_nodes <= facts.nodes


class Dispatch:
    """The queue of an executor and its blocks. The caller owns a lock."""

    def __init__(self) -> None:
        self.waiting: deque[Waiting] = deque()
        self.blocks: dict[bytes, Block] = {}
        self._block_of: dict[int, Block] = {}

    def __repr__(self) -> str:
        return f"<Dispatch waiting={len(self.waiting)} blocks={list(self.blocks.values())}>"

    def assign(self) -> list[tuple[Block, Waiting]]:
        """Assign what waits to blocks with room, in order; return the assignments."""
        found: list[tuple[Block, Waiting]] = []
        free = [block for block in self.blocks.values() if block.room > 0]
        passed: list[Waiting] = []
        while self.waiting and free:
            task = self.waiting.popleft()
            fitting = [block for block in free if block.has_enough(task.shape)]
            if not fitting:
                passed.append(task)
                continue
            block = max(fitting, key=lambda block: block.room)
            block.tasks.add(task.number)
            self._block_of[task.number] = block
            found.append((block, task))
            if block.room <= 0:
                free.remove(block)
        self.waiting.extendleft(reversed(passed))
        return found

    def ended(self, number: int, now_s: float) -> bool:
        """Forget a task that a block had; return whether it had one."""
        block = self._block_of.pop(number, None)
        if block is None:
            return False
        block.tasks.discard(number)
        if not block.tasks:
            block.idle_since_s = now_s
        return True

    def cancel(self, number: int) -> Block | None:
        """Forget a task that waits; return its block if it has one, which has to cancel it."""
        block = self._block_of.get(number)
        if block is None:
            self.waiting = deque(task for task in self.waiting if task.number != number)
        return block

    def remove(self, block: Block) -> list[int]:
        """Forget a block that is lost, and return the tasks that are lost with it."""
        self.blocks.pop(block.identity, None)
        lost = sorted(block.tasks)
        for number in lost:
            self._block_of.pop(number, None)
        block.tasks.clear()
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
