"""Nodes are released once, whatever happens to the task: manager and interchange in random histories."""

from __future__ import annotations

from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from parsl.executors.high_throughput.interchange.node_queue import MAX_OVERTAKEN, NodeMatching
from parsl.executors.high_throughput.interchange.state import InterchangeState
from parsl.executors.high_throughput.manager.state import ManagerState, NodePool, Worker
from parsl.executors.high_throughput.wire.protocol import DONE, Resources, Result, Results, Task
from tests.executors.high_throughput.interchange.fakes import join, register

NODES = ["x1", "x2", "x3", "x4"]


def task(number: int, nodes: int = 1, ranks: int = 1) -> Task:
    return Task(number, b"", b"", resources=Resources(nodes, ranks, nodes * ranks))


class MpiManager(ManagerState):
    """The state of a manager with four nodes, which remembers them."""

    def __init__(self, workers: int) -> None:
        self.nodes = NodePool(NODES)
        super().__init__(workers, 0, self.nodes)


def started(workers: int = 4) -> MpiManager:
    state = MpiManager(workers)
    for worker in state.workers:
        worker.pid = 1000 + worker.rank
    return state


def ids(given: list[tuple[Worker, Task]]) -> list[tuple[int, int]]:
    return [(worker.rank, found.id) for worker, found in given]


def test_a_task_has_its_nodes_until_it_has_ended() -> None:
    state = started()
    state.add([task(1, 3), task(2)])
    assert ids(state.assign(0.0)) == [(0, 1), (1, 2)]
    assert state.nodes.of(1) == ("x1", "x2", "x3")
    state.finish(state.workers[0], Result(1, DONE, b""), 1.0)
    assert state.nodes.free == 3
    assert state.lose(state.workers[1]) == [task(2)]
    assert state.nodes.free == 4
    assert repr(state.nodes) == "<NodePool nodes=4 free=4 tasks=0>"


def test_a_task_taken_back_keeps_its_nodes() -> None:
    state = started()
    state.add([task(1, 4)])
    state.assign(0.0)
    state.take_back(state.workers[0], [1])
    assert state.nodes.of(1) == tuple(NODES)
    state.workers[0].pid = None
    assert ids(state.assign(1.0)) == [(1, 1)]
    state.take_back(state.workers[1], [1])
    assert state.forget(1)
    assert not state.forget(1)
    assert state.nodes.free == 4


def test_mpi_tasks_are_not_assigned_ahead_of_need() -> None:
    state = started(workers=1)
    for number in range(50):  # short tasks do not change this
        state.add([task(number)])
        state.assign(0.0)
        state.finish(state.workers[0], Result(number, DONE, b""), 0.0)
    state.add([task(100), task(101)])
    assert state.capacity == 1
    assert ids(state.assign(0.0)) == [(0, 100)]
    assert state.accepted == 52


def test_tasks_without_nodes_do_not_delay_tasks_with_nodes() -> None:
    state = started()
    state.add([task(1, 3), task(2, 2), task(3)])
    assert ids(state.assign(0.0)) == [(0, 1), (1, 3)]
    state.finish(state.workers[0], Result(1, DONE, b""), 1.0)
    assert ids(state.assign(1.0, [])) == [(0, 2)]


class MpiBlocks(RuleBasedStateMachine):
    """Two blocks of four nodes; messages travel in order and may be in transit."""

    #: How many ranks tasks that share a node may have; 0 for no sharing.
    max_ranks = 0

    def __init__(self) -> None:
        super().__init__()
        self.interchange = InterchangeState(NodeMatching(self.max_ranks))
        self.ranks: dict[int, int] = {}
        self.managers: dict[bytes, MpiManager] = {}
        self.to_manager: dict[bytes, deque[list[Task] | int]] = {}
        self.to_interchange: dict[bytes, deque[int]] = {}
        self.sizes: dict[int, int] = {}
        self.ended: set[int] = set()
        self.began: set[int] = set()
        self.next_pid = 1000

    @initialize(workers=st.lists(st.integers(1, 4), min_size=2, max_size=2))
    def join(self, workers: list[int]) -> None:
        for number, count in enumerate(workers):
            self._join(b"%d" % number, count)

    def _join(self, name: bytes, workers: int) -> None:
        join(self.interchange, register(name.decode(), workers, block=name.decode(), nodes=4))
        self.managers[name] = MpiManager(workers)
        self.to_manager[name], self.to_interchange[name] = deque(), deque()

    @rule(sizes=st.lists(st.tuples(st.sampled_from([1, 1, 2, 4]), st.integers(1, 4)), min_size=1, max_size=6))
    def submit(self, sizes: list[tuple[int, int]]) -> None:
        first = len(self.sizes)
        tasks = [task(first + at, nodes, ranks) for at, (nodes, ranks) in enumerate(sizes)]
        self.sizes.update({first + at: nodes for at, (nodes, _) in enumerate(sizes)})
        self.ranks.update({first + at: ranks for at, (_, ranks) in enumerate(sizes)})
        self.interchange.add_tasks(tasks)

    @rule()
    def match(self) -> None:
        for manager, tasks in self.interchange.match():
            self.to_manager[manager.identity].append(tasks)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        alive = sorted(self.sizes.keys() - self.ended)
        if not alive:
            return
        number = data.draw(st.sampled_from(alive))
        holder = self.interchange.cancel(number)
        if holder is not None:
            self.to_manager[holder.identity].append(number)
        else:
            self.ended.add(number)

    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.managers)))
        if not self.to_manager[name]:
            return
        message = self.to_manager[name].popleft()
        manager = self.managers[name]
        if isinstance(message, list):
            manager.add(message)
        else:
            self._cancel_at(name, message)
        self._assign(manager)

    def _cancel_at(self, name: bytes, number: int) -> None:
        manager = self.managers[name]
        worker = manager.worker_of(number)
        if worker is not None and worker.ending is None:
            worker.ending = "cancelled"  # the fork server reports the end of the worker later
        elif manager.forget(number):
            self.to_interchange[name].append(number)

    def _assign(self, manager: MpiManager) -> None:
        for _, given in manager.assign(0.0):
            assert len(manager.nodes.of(given.id)) == self.sizes[given.id]

    @rule(data=st.data(), outcome=st.sampled_from(["done", "dies", "back", "forked"]))
    def work(self, data: st.DataObject, outcome: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.managers)))
        manager = self.managers[name]
        worker = data.draw(st.sampled_from(manager.workers))
        if outcome == "forked" and worker.pid is None:
            worker.pid = self.next_pid = self.next_pid + 1
        elif outcome == "dies" and worker.pid is not None:
            for lost in manager.lose(worker):
                self.to_interchange[name].append(lost.id)
        elif worker.given and worker.ending is None and outcome == "done":
            number = worker.given[0].id
            manager.finish(worker, Result(number, DONE, b""), 0.0)
            self.to_interchange[name].append(number)
        elif worker.given and worker.ending is None and outcome == "back":
            manager.take_back(worker, [worker.given[0].id])
        self._assign(manager)

    @rule(data=st.data())
    def deliver_to_interchange(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.managers)))
        numbers = list(self.to_interchange[name])
        self.to_interchange[name].clear()
        assert not self.ended & set(numbers)
        self.ended.update(numbers)
        results = [Result(number, DONE, b"") for number in numbers]
        self.interchange.finish(
            self.interchange.managers[name], Results(results, self.managers[name].capacity), 0.0
        )

    @precondition(lambda self: len(self.sizes) > 5)
    @rule(workers=st.integers(1, 4))
    def lose_a_manager(self, workers: int) -> None:
        lost = self.interchange.managers[b"0"]
        self.interchange.remove(lost)
        self.ended.update(lost.held)
        self._join(b"0", workers)

    @invariant()
    def no_node_is_lost_or_has_too_many_tasks(self) -> None:
        for name, manager in self.managers.items():
            manager.nodes.validate()
            held = set(manager.held_ids())
            assert all(manager.nodes.of(worker.given[0].id) for worker in manager.workers if worker.given)
            on_node: dict[str, list[int]] = {}
            for number in held:
                for node in manager.nodes.of(number):
                    on_node.setdefault(node, []).append(number)
            assert manager.nodes.free == 4 - len(on_node)
            for numbers in on_node.values():
                if len(numbers) > 1:
                    assert [self.sizes[number] for number in numbers] == [1] * len(numbers)
                    assert sum(self.ranks[number] for number in numbers) <= self.max_ranks
            assert held <= self.interchange.managers[name].held
            assert self.interchange.managers[name].free_nodes >= 0

    def teardown(self) -> None:
        """Without further disturbances, all tasks end and all nodes become free."""
        for _ in range(20 + 2 * len(self.sizes)):
            if self.ended >= self.sizes.keys():
                break
            self._settle_down()
        assert self.ended == self.sizes.keys()
        assert all(manager.nodes.free == 4 for manager in self.managers.values())

    def _settle_down(self) -> None:
        self.match()
        for name, manager in self.managers.items():
            while self.to_manager[name]:
                message = self.to_manager[name].popleft()
                if isinstance(message, list):
                    manager.add(message)
                else:
                    self._cancel_at(name, message)
            for worker in manager.workers:
                if worker.ending or worker.pid is None:
                    self.to_interchange[name].extend(lost.id for lost in manager.lose(worker))
                    manager.workers[worker.rank].pid = self.next_pid = self.next_pid + 1
            self._assign(manager)
            for worker in manager.workers:
                if worker.given:
                    number = worker.given[0].id
                    manager.finish(worker, Result(number, DONE, b""), 0.0)
                    self.to_interchange[name].append(number)
            numbers = list(self.to_interchange[name])
            self.to_interchange[name].clear()
            self.ended.update(numbers)
            results = Results([Result(number, DONE, b"") for number in numbers], 4)
            self.interchange.finish(self.interchange.managers[name], results, 0.0)


class SharedMpiBlocks(MpiBlocks):
    """The same with tasks of one node that share nodes."""

    max_ranks = 4


TestSharedMpiBlocks = SharedMpiBlocks.TestCase
TestSharedMpiBlocks.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
TestMpiBlocks = MpiBlocks.TestCase
TestMpiBlocks.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)


def test_a_task_for_the_whole_block_starts_within_so_many_small_completions() -> None:
    interchange, manager = InterchangeState(NodeMatching()), started()
    join(interchange, register("m", 4, nodes=4))
    interchange.add_tasks([task(1), task(2), task(0, 4)])
    number, completions = 3, 0
    while manager.worker_of(0) is None:
        interchange.add_tasks([task(number), task(number + 1)])
        number += 2
        for _, tasks in interchange.match():
            manager.add(tasks)
        manager.assign(0.0)
        worker = next(worker for worker in manager.workers if worker.given)
        if worker.given[0].id == 0:
            break
        done = Result(worker.given[0].id, DONE, b"")
        manager.finish(worker, done, 0.0)
        interchange.finish(interchange.managers[b"m"], Results([done], 4), 0.0)
        completions += 1
    assert completions <= MAX_OVERTAKEN * 4 + 4
