"""A manager's decisions: no task lost, none given twice, none waiting while a worker is free."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from parsl.executors.high_throughput.manager import state as manager_state
from parsl.executors.high_throughput.manager.state import ManagerState, Slot
from parsl.executors.high_throughput.wire.protocol import DONE, Result, Task

SHORT_S, LONG_S = 0.000_01, 10.0


def task(number: int, *, sizes: tuple[int, ...] = (), walltime_s: float | None = None) -> Task:
    return Task(number, b"", b"", sizes, walltime_s=walltime_s)


def result(number: int, run_s: float = 1.0) -> Result:
    return Result(number, DONE, b"", run_s=run_s)


def started(workers: int, prefetch: int = 0) -> ManagerState:
    state = ManagerState(workers, prefetch)
    for slot in state.slots:
        slot.pid = 1000 + slot.rank
    return state


def ids(given: list[tuple[Slot, Task]]) -> list[tuple[int, int]]:
    return [(slot.rank, found.id) for slot, found in given]


def make_tasks_short(state: ManagerState) -> None:
    """Let it learn from a short task."""
    state.add([task(0)])
    ((slot, _),) = state.assign(0.0)
    state.finish(slot, result(0, SHORT_S), 0.0)


class TestAssigning:
    def test_idle_workers_get_one_task_each(self) -> None:
        state = started(2)
        state.add(map(task, range(5)))
        assert ids(state.assign(0.0)) == [(0, 0), (1, 1)]
        assert repr(state) == "<ManagerState slots=2 queued=3 given=2>"
        assert state.held_ids() == [0, 1, 2, 3, 4]

    def test_workers_that_are_not_there_get_none(self) -> None:
        state = started(3)
        state.slots[0].pid = None
        state.slots[1].ending = "timed_out"
        state.add(map(task, range(2)))
        assert ids(state.assign(0.0)) == [(2, 0)]

    def test_short_tasks_are_given_ahead_of_need(self) -> None:
        state = started(2)
        make_tasks_short(state)
        state.add(map(task, range(1, 101)))
        given = state.assign(0.0)
        assert len(given) == 2 * (1 + manager_state.MAX_AHEAD)
        assert ids(given)[:2] == [(0, 1), (1, 2)]

    def test_few_short_tasks_are_spread_over_the_workers(self) -> None:
        state = started(4)
        make_tasks_short(state)
        state.add(map(task, range(1, 5)))
        assert [rank for rank, _ in ids(state.assign(0.0))] == [0, 1, 2, 3]

    def test_a_long_task_after_short_ones_stops_that_at_once(self) -> None:
        state = started(1)
        make_tasks_short(state)
        state.add(map(task, range(1, 100)))
        state.assign(0.0)
        slot = state.slots[0]
        state.finish(slot, result(1, LONG_S), 0.0)
        assert state.capacity == 1
        before = len(slot.given)
        assert state.assign(0.0) == []
        assert len(slot.given) == before

    def test_tasks_with_frames_are_alone_with_their_worker(self) -> None:
        state = started(1)
        make_tasks_short(state)
        state.add([task(1, sizes=(1,)), task(2), task(3, sizes=(1,)), task(4)])
        assert ids(state.assign(0.0)) == [(0, 1)]
        state.finish(state.slots[0], result(1, SHORT_S), 0.0)
        assert ids(state.assign(0.0)) == [(0, 2)]

    def test_so_are_tasks_that_bring_a_large_function(self) -> None:
        state = started(1)
        make_tasks_short(state)
        state.large_functions.add(b"f")
        state.add([Task(1, b"f", b""), Task(2, b"f", b"")])
        assert ids(state.assign(0.0)) == [(0, 1)]
        state.slots[0].functions.add(b"f")
        state.finish(state.slots[0], result(1, SHORT_S), 0.0)
        state.add([Task(3, b"f", b"")])
        assert ids(state.assign(0.0)) == [(0, 2), (0, 3)]

    def test_an_answer_to_another_task_than_the_oldest_is_refused(self) -> None:
        state = started(1)
        state.add([task(1)])
        state.assign(0.0)
        with pytest.raises(ValueError, match="answered task 2, which is not its oldest"):
            state.finish(state.slots[0], result(2), 0.0)


class TestCapacity:
    def test_is_a_task_for_each_worker_and_the_prefetch(self) -> None:
        assert ManagerState(4, 3).capacity == 7

    def test_grows_for_short_tasks_within_limits(self) -> None:
        state = started(2, prefetch=1)
        make_tasks_short(state)
        assert 2 * 50 < state.capacity <= 2 * (1 + manager_state.MAX_HELD_PER_WORKER) + 1


class TestRelieving:
    def test_waiting_tasks_go_to_a_worker_that_falls_idle(self) -> None:
        state = started(2)
        make_tasks_short(state)
        state.add(map(task, range(1, 20)))
        state.assign(0.0)
        first, second = state.slots
        while second.given:
            state.finish(second, result(second.given[0].id, SHORT_S), 0.0)
        assert state.to_relieve() is first
        waiting = [found.id for found in first.given][1:]
        state.take_back(first, waiting)
        assert [found.id for found in state.queue] == waiting
        assert state.assign(0.0)[0][0] is second

    def test_nobody_is_relieved_while_all_are_busy_or_the_queue_has_tasks(self) -> None:
        state = started(2)
        make_tasks_short(state)
        assert state.to_relieve() is None
        state.add(map(task, range(1, 1000)))
        state.assign(0.0)
        assert state.to_relieve() is None

    def test_a_running_task_is_not_taken_from_its_worker(self) -> None:
        state = started(2)
        state.add([task(1)])
        state.assign(0.0)
        assert state.to_relieve() is None


class TestWalltime:
    def test_only_running_tasks_with_a_walltime_count(self) -> None:
        state = started(2)
        state.add([task(1), task(2, walltime_s=5), task(3, walltime_s=1)])
        assert state.next_deadline() is None
        state.assign(10.0)
        assert state.next_deadline() == 15.0
        assert state.overdue(14.9) == []
        assert state.overdue(15.0) == [state.slots[1]]

    def test_one_that_is_being_ended_counts_no_more(self) -> None:
        state = started(1)
        state.add([task(1, walltime_s=1)])
        state.assign(0.0)
        state.slots[0].ending = "timed_out"
        assert state.overdue(5.0) == []
        assert state.next_deadline() is None

    def test_the_clock_of_a_task_given_ahead_begins_with_it(self) -> None:
        state = started(1)
        make_tasks_short(state)
        state.add([task(1, walltime_s=1), task(2, walltime_s=1)])
        state.assign(0.0)
        state.finish(state.slots[0], result(1, SHORT_S), 0.9)
        assert state.next_deadline() == pytest.approx(1.9)


class TestEnds:
    def test_a_worker_that_ends_costs_the_task_that_it_had_begun(self) -> None:
        state = started(1)
        make_tasks_short(state)
        state.add(map(task, (1, 2, 3)))
        state.assign(0.0)
        slot = state.slots[0]
        slot.functions.add(b"f")
        assert [found.id for found in state.worker_gone(slot)] == [1]
        assert [found.id for found in state.queue] == [2, 3]
        assert repr(slot) == "<Slot 0 pid=None given=0 ending=None>"
        assert not slot.functions

    def test_an_idle_worker_that_ends_costs_nothing(self) -> None:
        state = started(1)
        assert state.worker_gone(state.slots[0]) == []

    def test_a_queued_task_is_forgotten(self) -> None:
        state = started(1)
        state.add(map(task, (1, 2)))
        assert state.forget(2)
        assert not state.forget(3)
        assert state.held == 1

    def test_the_slot_of_a_task_is_found(self) -> None:
        state = started(2)
        state.add(map(task, (1, 2, 3)))
        state.assign(0.0)
        assert state.slot_of(2) is state.slots[1]
        assert state.slot_of(3) is None


class Node(RuleBasedStateMachine):
    """A manager with workers that read, run, answer and die as they like."""

    @initialize(workers=st.integers(1, 4), prefetch=st.integers(0, 3))
    def begin(self, workers: int, prefetch: int) -> None:
        self.state = ManagerState(workers, prefetch)
        self.numbers = iter(range(1, 10**9))
        self.now = 0.0
        self.alive: set[int] = set()
        #: What each worker has not read yet, and what it is running.
        self.unread: list[deque[int]] = [deque() for _ in range(workers)]
        self.running: list[int | None] = [None] * workers

    def _assign(self) -> None:
        for slot, found in self.state.assign(self.now):
            assert slot.is_usable
            self.unread[slot.rank].append(found.id)

    def _read_back(self, slot: Slot) -> bool:
        unbegun = [] if slot.has_frames else list(self.unread[slot.rank])
        self.state.take_back(slot, unbegun)
        if unbegun:
            self.unread[slot.rank].clear()
        return bool(unbegun)

    def _settle(self) -> None:
        self._assign()
        for _ in range(100):
            fullest = self.state.to_relieve()
            if fullest is None or not self._read_back(fullest):
                break
            self._assign()
        else:
            raise AssertionError("it relieves without an end")
        if not self.state.queue and any(s.is_usable and not s.given for s in self.state.slots):
            behind = [
                number
                for slot in self.state.slots
                if len(slot.given) > 1
                for number in self.unread[slot.rank]
            ]
            assert not behind, "tasks wait behind another one while a worker is free"

    @rule(
        count=st.integers(1, 40),
        sizes=st.sampled_from([(), (), (), (70_000,)]),
        walltime_s=st.none() | st.floats(0.1, 5),
    )
    def submit(self, count: int, sizes: tuple[int, ...], walltime_s: float | None) -> None:
        tasks = [task(next(self.numbers), sizes=sizes, walltime_s=walltime_s) for _ in range(count)]
        self.alive.update(found.id for found in tasks)
        self.state.add(tasks)
        self._assign()

    @rule(data=st.data())
    def start_worker(self, data: Any) -> None:
        slot = data.draw(st.sampled_from(self.state.slots))
        if slot.pid is None:
            slot.pid = 1
            self._assign()

    @rule(data=st.data())
    def begin_task(self, data: Any) -> None:
        rank = data.draw(st.integers(0, len(self.unread) - 1))
        if self.running[rank] is None and self.unread[rank]:
            self.running[rank] = self.unread[rank].popleft()

    @rule(data=st.data(), run_s=st.sampled_from([SHORT_S, SHORT_S, SHORT_S, 0.001, LONG_S]))
    def answer(self, data: Any, run_s: float) -> None:
        rank = data.draw(st.integers(0, len(self.unread) - 1))
        number = self.running[rank]
        if number is None:
            return
        self.running[rank] = None
        self.state.finish(self.state.slots[rank], result(number, run_s), self.now)
        self.alive.discard(number)
        self._settle()

    @rule(data=st.data())
    def die(self, data: Any) -> None:
        slot = data.draw(st.sampled_from(self.state.slots))
        if slot.pid is None:
            return
        self._read_back(slot)
        begun = [found.id for found in self.state.worker_gone(slot)]
        number, self.running[slot.rank] = self.running[slot.rank], None
        assert begun == ([number] if number is not None else list(self.unread[slot.rank]))
        self.unread[slot.rank].clear()
        self.alive.difference_update(begun)
        self._assign()

    @rule(data=st.data())
    def cancel(self, data: Any) -> None:
        if not self.alive:
            return
        number = data.draw(st.sampled_from(sorted(self.alive)))
        slot = self.state.slot_of(number)
        if slot is not None:
            self._read_back(slot)
        if self.state.forget(number):
            self.alive.discard(number)
        elif slot is not None:
            assert slot.given[0].id == number
            slot.ending = "cancelled"
        self._assign()

    @rule(seconds=st.floats(0, 3))
    def let_time_pass(self, seconds: float) -> None:
        self.now += seconds
        for slot in self.state.overdue(self.now):
            assert slot.given[0].walltime_s is not None
            slot.ending = "timed_out"

    @invariant()
    def every_task_is_in_one_place(self) -> None:
        if not hasattr(self, "state"):
            return
        assert sorted(self.state.held_ids()) == sorted(self.alive)
        assert self.state.held == len(self.alive)
        for slot in self.state.slots:
            running = self.running[slot.rank]
            known = ([] if running is None else [running]) + list(self.unread[slot.rank])
            assert [found.id for found in slot.given] == known

    @invariant()
    def the_counters_are_right(self) -> None:
        if not hasattr(self, "state"):
            return
        given = [found for slot in self.state.slots for found in slot.given]
        assert self.state.running == len(given)
        assert self.state._timed == sum(found.walltime_s is not None for found in given)
        assert self.state._behind == sum(max(0, len(slot.given) - 1) for slot in self.state.slots)


TestNode = Node.TestCase
TestNode.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
