"""A replacement interchange: no task is lost, and none runs twice because of the loss."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from parsl.executors.high_throughput.interchange.manager import Manager
from parsl.executors.high_throughput.interchange.matching import Matching, WorkerMatching
from parsl.executors.high_throughput.interchange.node_queue import NodeMatching
from parsl.executors.high_throughput.interchange.state import InterchangeState, Restoration
from parsl.executors.high_throughput.manager_selector import RandomManagerSelector
from parsl.executors.high_throughput.wire.protocol import DONE, Register, Resources, Result, Results, Task
from tests.executors.high_throughput.interchange.fakes import (
    FakeLink,
    given,
    join,
    join_and_compare,
    register,
)


def task(number: int, nodes: int = 1) -> Task:
    return Task(number, b"", b"", resources=Resources(nodes, 1, nodes))


def replacement(*expected: str, matching: Matching | None = None) -> InterchangeState:
    """Return the state of a replacement interchange after the driver has offered tasks 1 to 4."""
    restoration = Restoration({name: f"block of {name}" for name in expected})
    state = InterchangeState(matching or WorkerMatching(RandomManagerSelector()), restoration)
    state.add_tasks([task(number) for number in range(1, 5)])
    restoration.is_complete = True
    state.end_restoration()
    return state


def test_offers_are_dispatched_at_once_if_no_manager_is_awaited() -> None:
    state = replacement()
    join(state, register("a"))
    assert given(state) == {b"a": [1, 2]}


def test_offers_wait_for_the_managers_that_may_hold_them_and_new_tasks_do_not() -> None:
    state = replacement("a", "b")
    _, unknown = join_and_compare(state, register("a", held=[2]))
    assert unknown == []
    state.add_tasks([task(9)])
    assert given(state) == {b"a": [9]}
    assert not state.end_restoration()
    join(state, register("b", held=[1, 4]))
    assert state.end_restoration()
    state.finish(state.managers[b"b"], Results([Result(1, DONE, b"")], 2, 1), 0.0)
    assert given(state) == {b"b": [3]}


def test_held_tasks_that_were_not_offered_are_unknown() -> None:
    state = replacement("a")
    assert state.cancel(2) is None
    record, unknown = join_and_compare(state, register("a", held=[1, 2, 77]))
    assert (record.held, unknown) == ({1}, [2, 77])
    assert state.finish(state.managers[b"a"], Results([Result(77, DONE, b"")], 2, 1), 0.0) == []


def test_only_expected_managers_may_claim_tasks_and_only_once() -> None:
    state = replacement("a", "b")
    assert join_and_compare(state, register("x", held=[1]))[1] == [1]
    assert join_and_compare(state, register("a", held=[2]))[1] == []
    assert join_and_compare(state, register("a", held=[2, 3]))[1] == [3]
    assert state.managers[b"a"].held == {2}


def test_a_manager_that_does_not_reconnect_is_given_up() -> None:
    state = replacement("a", "b", "c")
    join(state, register("a"))
    assert state.give_up_missing("block of b") == [(b"b", "block of b")]
    assert not state.end_restoration()
    assert given(state) == {}
    assert state.give_up_missing() == [(b"c", "block of c")]
    assert state.end_restoration()
    assert given(state) == {b"a": [1, 2]}
    assert state.give_up_missing() == []


def test_claimed_tasks_have_their_nodes() -> None:
    restoration = Restoration({"a": "0"})
    state = InterchangeState(NodeMatching(), restoration)
    state.add_tasks([task(1, nodes=3), task(2, nodes=2), task(3, nodes=1)])
    restoration.is_complete = True
    join(state, register("a", held=[1], nodes=4))
    assert state.end_restoration()
    assert given(state) == {b"a": [3]}
    state.finish(state.managers[b"a"], Results([Result(1, DONE, b"")], 2, 1), 0.0)
    assert given(state) == {b"a": [2]}


def test_claimed_tasks_may_have_shared_nodes_so_that_no_other_joins_them() -> None:
    restoration = Restoration({"a": "0"})
    state = InterchangeState(NodeMatching(max_ranks=4), restoration)
    state.add_tasks([task(number, nodes=1) for number in range(6)])
    restoration.is_complete = True
    join(state, register("a", workers=6, held=[0, 1, 2], nodes=2))
    assert state.end_restoration()
    manager = state.managers[b"a"]
    assert given(state) == {}
    state.finish(manager, Results([Result(0, DONE, b""), Result(1, DONE, b"")], 6, 1), 0.0)
    assert given(state) == {b"a": [3, 4, 5]}
    assert (manager.free_nodes, manager.node_use.ranks()) == (0, {3: 3})


class _ManagerModel:
    """A manager, with the messages in transit to and from it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.held: deque[int] = deque()
        self.unacknowledged: deque[Results] = deque()
        self.serial = 0
        self.to_interchange: deque[Any] = deque([register(name)])
        self.to_manager: deque[Any] = deque()

    def take(self, message: Any) -> None:
        if isinstance(message, list):
            self.held.extend(message)
        else:
            while self.unacknowledged and self.unacknowledged[0].serial <= message:
                self.unacknowledged.popleft()

    def run_one(self) -> int:
        task_id = self.held.popleft()
        self.serial += 1
        results = Results([Result(task_id, DONE, b"")], 2, self.serial)
        self.unacknowledged.append(results)
        self.to_interchange.append(results)
        return task_id

    def reconnect(self) -> None:
        while self.to_manager:  # data written before the end can still be read
            self.take(self.to_manager.popleft())
        ids = [result.id for message in self.unacknowledged for result in message.results]
        acknowledged = self.unacknowledged[0].serial - 1 if self.unacknowledged else self.serial
        again = register(self.name, held=[*ids, *self.held], acknowledged=acknowledged)
        self.to_interchange = deque([again, *self.unacknowledged])


class Losses(RuleBasedStateMachine):
    """A driver, managers, and an interchange that is lost again and again, at any moment."""

    def __init__(self) -> None:
        super().__init__()
        self.pending: dict[int, Task] = {}
        self.ran: Counter[int] = Counter()
        self.submitted = 0
        self.managers: dict[bytes, _ManagerModel] = {}
        self.state = InterchangeState(WorkerMatching(RandomManagerSelector()))
        self.unwritten: list[Result] = []
        self.unannounced: list[Manager] = []
        self.known_to_driver: set[str] = set()

    @initialize()
    def begin(self) -> None:
        for name in ("a", "b"):
            self.managers[name.encode()] = _ManagerModel(name)

    @rule(count=st.integers(1, 4))
    def submit(self, count: int) -> None:
        tasks = [task(self.submitted + i) for i in range(count)]
        self.submitted += count
        self.pending.update((one.id, one) for one in tasks)
        self.state.add_tasks(tasks)

    @rule()
    def dispatch(self) -> None:
        for name, ids in given(self.state).items():
            self.managers[name].to_manager.append(ids)

    @rule(data=st.data())
    def deliver_to_a_manager(self, data: st.DataObject) -> None:
        manager = data.draw(st.sampled_from(sorted(self.managers.values(), key=lambda one: one.name)))
        if manager.to_manager:
            manager.take(manager.to_manager.popleft())

    @rule(data=st.data())
    def run_a_task(self, data: st.DataObject) -> None:
        manager = data.draw(st.sampled_from(sorted(self.managers.values(), key=lambda one: one.name)))
        if manager.held:
            self.ran[manager.run_one()] += 1

    @rule(data=st.data())
    def deliver_to_the_interchange(self, data: st.DataObject) -> None:
        manager = data.draw(st.sampled_from(sorted(self.managers.values(), key=lambda one: one.name)))
        if not manager.to_interchange:
            return
        name, message = manager.name.encode(), manager.to_interchange.popleft()
        if isinstance(message, Register):
            known, unknown = self.state.register(message, FakeLink(), 0.0)
            assert unknown == []
            self.unannounced.append(known)
            self.state.end_restoration()
        else:
            self.unwritten += self.state.finish(self.state.managers[name], message, 0.0)

    @rule()
    def write_to_the_driver(self) -> None:
        for result in self.unwritten:
            self.pending.pop(result.id, None)
        self.unwritten = []
        for known in self.unannounced:
            self.state.announced(known)
            self.known_to_driver.add(known.name)
        self.unannounced = []
        for name, record in self.state.managers.items():
            record.written = record.received
            self.managers[name].to_manager.append(record.written)

    @precondition(lambda self: self.managers)
    @rule()
    def lose_the_interchange(self) -> None:
        self.unwritten, self.unannounced = [], []
        restoration = Restoration(dict.fromkeys(self.known_to_driver, "0"))
        self.state = InterchangeState(WorkerMatching(RandomManagerSelector()), restoration)
        self.state.add_tasks(list(self.pending.values()))
        restoration.is_complete = True
        self.state.end_restoration()
        for manager in self.managers.values():
            manager.reconnect()

    @invariant()
    def nothing_runs_twice(self) -> None:
        assert all(count == 1 for count in self.ran.values())

    def teardown(self) -> None:
        for _ in range(4 * self.submitted + 8):
            self._go_round()
        assert not self.pending
        assert self.ran == Counter(dict.fromkeys(range(self.submitted), 1))

    def _go_round(self) -> None:
        for name, manager in self.managers.items():
            while manager.to_interchange:
                message = manager.to_interchange.popleft()
                if isinstance(message, Register):
                    self.unannounced.append(self.state.register(message, FakeLink(), 0.0)[0])
                    self.state.end_restoration()
                else:
                    self.unwritten += self.state.finish(self.state.managers[name], message, 0.0)
            while manager.to_manager:
                manager.take(manager.to_manager.popleft())
            if manager.held:
                self.ran[manager.run_one()] += 1
        self.write_to_the_driver()
        self.dispatch()


TestLosses = Losses.TestCase
TestLosses.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
