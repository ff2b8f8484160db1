"""A manager's decisions: no task is lost, assigned twice, or left waiting while a worker is idle."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from parsl.executors.high_throughput.manager import state as manager_state
from parsl.executors.high_throughput.manager.state import ManagerState, Worker
from parsl.executors.high_throughput.wire.protocol import DONE, Result, Task
from parsl.vocabulary.run_observer import pack_usage

SHORT_S, LONG_S = 0.000_01, 10.0


def task(number: int, *, sizes: tuple[int, ...] = (), walltime_s: float | None = None) -> Task:
    return Task(number, b"", b"", sizes, walltime_s=walltime_s)


def result(number: int, run_s: float = 1.0) -> Result:
    return Result(number, DONE, b"", usage=pack_usage(run_s, run_s, -1, -1, -1))


def started(workers: int, prefetch: int = 0) -> ManagerState:
    state = ManagerState(workers, prefetch)
    for worker in state.workers:
        worker.pid = 1000 + worker.rank
    return state


def ids(given: list[tuple[Worker, Task]]) -> list[tuple[int, int]]:
    return [(worker.rank, found.id) for worker, found in given]


def make_tasks_short(state: ManagerState) -> None:
    """Let the manager observe a short task."""
    state.add([task(0)])
    ((worker, _),) = state.assign(0.0)
    state.finish(worker, result(0, SHORT_S), 0.0)


class TestAssigning:
    def test_idle_workers_get_one_task_each(self) -> None:
        state = started(2)
        state.add([*map(task, range(5))])
        assert ids(state.assign(0.0)) == [(0, 0), (1, 1)]
        assert repr(state) == "<ManagerState workers=2 queued=3 given=2>"
        assert state.held_ids() == [0, 1, 2, 3, 4]

    def test_workers_that_are_not_usable_get_none(self) -> None:
        state = started(3)
        state.workers[0].pid = None
        state.workers[1].ending = "timed_out"
        state.add([*map(task, range(2))])
        assert ids(state.assign(0.0)) == [(2, 0)]

    def test_short_tasks_are_assigned_ahead_of_need(self) -> None:
        state = started(2)
        make_tasks_short(state)
        state.add([*map(task, range(1, 101))])
        given = state.assign(0.0)
        assert len(given) == 2 * (1 + manager_state.MAX_AHEAD)
        assert ids(given)[:2] == [(0, 1), (1, 2)]

    def test_few_short_tasks_are_spread_over_the_workers(self) -> None:
        state = started(4)
        make_tasks_short(state)
        state.add([*map(task, range(1, 5))])
        assert [rank for rank, _ in ids(state.assign(0.0))] == [0, 1, 2, 3]

    def test_a_long_task_after_short_ones_stops_assignment_ahead_of_need(self) -> None:
        state = started(1)
        make_tasks_short(state)
        state.add([*map(task, range(1, 100))])
        state.assign(0.0)
        worker = state.workers[0]
        state.finish(worker, result(1, LONG_S), 0.0)
        assert state.capacity == 1
        before = len(worker.given)
        assert state.assign(0.0) == []
        assert len(worker.given) == before

    def test_tasks_with_frames_are_alone_with_their_worker(self) -> None:
        state = started(1)
        make_tasks_short(state)
        state.add([task(1, sizes=(1,)), task(2), task(3, sizes=(1,)), task(4)])
        assert ids(state.assign(0.0)) == [(0, 1)]
        state.finish(state.workers[0], result(1, SHORT_S), 0.0)
        assert ids(state.assign(0.0)) == [(0, 2)]

    def test_tasks_with_a_large_function_are_alone_with_their_worker(self) -> None:
        state = started(1)
        make_tasks_short(state)
        state.large_functions.add(b"f")
        state.add([Task(1, b"f", b""), Task(2, b"f", b"")])
        assert ids(state.assign(0.0)) == [(0, 1)]
        state.workers[0].functions.add(b"f")
        state.finish(state.workers[0], result(1, SHORT_S), 0.0)
        state.add([Task(3, b"f", b"")])
        assert ids(state.assign(0.0)) == [(0, 2), (0, 3)]

    def test_a_result_of_a_task_other_than_the_oldest_is_refused(self) -> None:
        state = started(1)
        state.add([task(1)])
        state.assign(0.0)
        with pytest.raises(ValueError, match="answered task 2, which is not its oldest"):
            state.finish(state.workers[0], result(2), 0.0)


class TestCapacity:
    def test_is_a_task_for_each_worker_and_the_prefetch(self) -> None:
        assert ManagerState(4, 3).capacity == 7

    def test_grows_for_short_tasks_within_limits(self) -> None:
        state = started(2, prefetch=1)
        make_tasks_short(state)
        assert 2 * 50 < state.capacity <= 2 * (1 + manager_state.MAX_HELD_PER_WORKER) + 1


class TestOverload:
    def test_waiting_tasks_go_to_a_worker_that_falls_idle(self) -> None:
        state = started(2)
        make_tasks_short(state)
        state.add([*map(task, range(1, 20))])
        state.assign(0.0)
        first, second = state.workers
        while second.given:
            state.finish(second, result(second.given[0].id, SHORT_S), 0.0)
        assert state.overloaded() is first
        waiting = [found.id for found in first.given][1:]
        state.take_back(first, waiting)
        assert [found.id for found in state.queue] == waiting
        assert state.assign(0.0)[0][0] is second

    def test_no_worker_is_overloaded_while_all_are_busy_or_the_queue_has_tasks(self) -> None:
        state = started(2)
        make_tasks_short(state)
        assert state.overloaded() is None
        state.add([*map(task, range(1, 1000))])
        state.assign(0.0)
        assert state.overloaded() is None

    def test_a_running_task_is_not_taken_from_its_worker(self) -> None:
        state = started(2)
        state.add([task(1)])
        state.assign(0.0)
        assert state.overloaded() is None


class TestWalltime:
    def test_only_running_tasks_with_a_walltime_count(self) -> None:
        state = started(2)
        state.add([task(1), task(2, walltime_s=5), task(3, walltime_s=1)])
        assert state.next_deadline() is None
        state.assign(10.0)
        assert state.next_deadline() == 15.0
        assert state.overdue(14.9) == []
        assert state.overdue(15.0) == [state.workers[1]]

    def test_a_task_that_is_being_ended_does_not_count(self) -> None:
        state = started(1)
        state.add([task(1, walltime_s=1)])
        state.assign(0.0)
        state.workers[0].ending = "timed_out"
        assert state.overdue(5.0) == []
        assert state.next_deadline() is None

    def test_the_clock_of_a_task_assigned_ahead_starts_with_the_task(self) -> None:
        state = started(1)
        make_tasks_short(state)
        state.add([task(1, walltime_s=1), task(2, walltime_s=1)])
        state.assign(0.0)
        state.finish(state.workers[0], result(1, SHORT_S), 0.9)
        assert state.next_deadline() == pytest.approx(1.9)


class TestEnds:
    def test_a_lost_worker_costs_the_task_that_it_had_started(self) -> None:
        state = started(1)
        make_tasks_short(state)
        state.add([*map(task, (1, 2, 3))])
        state.assign(0.0)
        worker = state.workers[0]
        worker.functions.add(b"f")
        assert [found.id for found in state.lose(worker)] == [1]
        assert [found.id for found in state.queue] == [2, 3]
        assert not worker.is_usable
        replacement = state.workers[0]
        assert repr(replacement) == "<Worker 0 pid=None given=0 ending=None>"
        assert not replacement.functions

    def test_a_lost_idle_worker_costs_nothing(self) -> None:
        state = started(1)
        assert state.lose(state.workers[0]) == []

    def test_a_queued_task_is_forgotten(self) -> None:
        state = started(1)
        state.add([*map(task, (1, 2))])
        assert state.forget(2)
        assert not state.forget(3)
        assert state.held == 1

    def test_the_worker_of_a_task_is_found(self) -> None:
        state = started(2)
        state.add([*map(task, (1, 2, 3))])
        state.assign(0.0)
        assert state.worker_of(2) is state.workers[1]
        assert state.worker_of(3) is None


class Node(RuleBasedStateMachine):
    """A manager with workers that read, run, answer and die at random."""

    @initialize(workers=st.integers(1, 4), prefetch=st.integers(0, 3))
    def begin(self, workers: int, prefetch: int) -> None:
        self.state = ManagerState(workers, prefetch)
        self.numbers = iter(range(1, 10**9))
        self.now = 0.0
        self.alive: set[int] = set()
        #: The unread tasks and the running task of each worker.
        self.unread: list[deque[int]] = [deque() for _ in range(workers)]
        self.running: list[int | None] = [None] * workers

    def _assign(self) -> None:
        for worker, found in self.state.assign(self.now):
            assert worker.is_usable
            self.unread[worker.rank].append(found.id)

    def _read_back(self, worker: Worker) -> bool:
        unread_ids = [] if worker.has_frames else list(self.unread[worker.rank])
        self.state.take_back(worker, unread_ids)
        if unread_ids:
            self.unread[worker.rank].clear()
        return bool(unread_ids)

    def _settle(self) -> None:
        self._assign()
        for _ in range(100):
            fullest = self.state.overloaded()
            if fullest is None or not self._read_back(fullest):
                break
            self._assign()
        else:
            raise AssertionError("it moves tasks without an end")
        if not self.state.queue and any(s.is_usable and not s.given for s in self.state.workers):
            behind = [
                number
                for worker in self.state.workers
                if len(worker.given) > 1
                for number in self.unread[worker.rank]
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
        worker = data.draw(st.sampled_from(self.state.workers))
        if worker.pid is None:
            worker.pid = 1
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
        self.state.finish(self.state.workers[rank], result(number, run_s), self.now)
        self.alive.discard(number)
        self._settle()

    @rule(data=st.data())
    def die(self, data: Any) -> None:
        worker = data.draw(st.sampled_from(self.state.workers))
        if worker.pid is None:
            return
        self._read_back(worker)
        begun = [found.id for found in self.state.lose(worker)]
        number, self.running[worker.rank] = self.running[worker.rank], None
        assert begun == ([number] if number is not None else list(self.unread[worker.rank]))
        self.unread[worker.rank].clear()
        self.alive.difference_update(begun)
        self._assign()

    @rule(data=st.data())
    def cancel(self, data: Any) -> None:
        if not self.alive:
            return
        number = data.draw(st.sampled_from(sorted(self.alive)))
        worker = self.state.worker_of(number)
        if worker is not None:
            self._read_back(worker)
        if self.state.forget(number):
            self.alive.discard(number)
        elif worker is not None:
            assert worker.given[0].id == number
            worker.ending = "cancelled"
        self._assign()

    @rule(seconds=st.floats(0, 3))
    def let_time_pass(self, seconds: float) -> None:
        self.now += seconds
        for worker in self.state.overdue(self.now):
            assert worker.given[0].walltime_s is not None
            worker.ending = "timed_out"

    @invariant()
    def every_task_is_in_one_place(self) -> None:
        if not hasattr(self, "state"):
            return
        assert sorted(self.state.held_ids()) == sorted(self.alive)
        assert self.state.held == len(self.alive)
        for worker in self.state.workers:
            running = self.running[worker.rank]
            known = ([] if running is None else [running]) + list(self.unread[worker.rank])
            assert [found.id for found in worker.given] == known

    @invariant()
    def the_counters_are_right(self) -> None:
        if hasattr(self, "state"):
            self.state.validate()


TestNode = Node.TestCase
TestNode.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
