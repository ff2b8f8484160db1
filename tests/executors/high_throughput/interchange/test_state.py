"""The interchange's decisions: every task is in one place, and managers get no more than they accept."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from parsl.executors.high_throughput.interchange.manager import Recount
from parsl.executors.high_throughput.interchange.matching import WorkerMatching
from parsl.executors.high_throughput.interchange.state import InterchangeState
from parsl.executors.high_throughput.manager_selector import (
    BlockIdManagerSelector,
    ManagerSelector,
    RandomManagerSelector,
)
from parsl.executors.high_throughput.wire.protocol import DONE, Register, Result, Results, Task
from tests.executors.high_throughput.interchange.fakes import given, join, join_and_compare, register


def task(number: int, priority: float | None = None) -> Task:
    return Task(number, b"", b"", priority=priority)


def results(*ids: int) -> list[Result]:
    return [Result(number, DONE, b"") for number in ids]


def state_with(*managers: Register, selector: ManagerSelector | None = None) -> InterchangeState:
    state = InterchangeState(WorkerMatching(selector or RandomManagerSelector()))
    for manager in managers:
        join(state, manager)
    return state


def silent(state: InterchangeState, now_s: float) -> dict[bytes, str]:
    return {manager.identity: reason for manager, reason in state.silent(now_s, threshold_s=50, grace_s=3)}


class TestMatching:
    def test_nothing_happens_without_tasks_or_managers(self) -> None:
        assert given(state_with()) == {}
        assert given(state_with(register("a"))) == {}

    def test_free_workers_get_tasks_before_managers_fetch_ahead(self) -> None:
        state = state_with(register("a", 2, prefetch=10), register("b", 2, prefetch=10))
        state.add_tasks(map(task, range(4)))
        assert {name: len(ids) for name, ids in given(state).items()} == {b"a": 2, b"b": 2}

    def test_tasks_fetched_ahead_are_shared_evenly(self) -> None:
        state = state_with(*[register(name, 1, prefetch=10) for name in "abcd"])
        state.add_tasks(map(task, range(12)))
        assert sorted(len(ids) for ids in given(state).values()) == [3, 3, 3, 3]

    def test_all_room_is_used_if_there_are_enough_tasks(self) -> None:
        state = state_with(*[register(str(n), 2, prefetch=n) for n in range(10)])
        state.add_tasks(map(task, range(1000)))
        assert {name: len(ids) for name, ids in given(state).items()} == {
            str(n).encode(): 2 + n for n in range(10)
        }
        assert given(state) == {}

    def test_managers_take_turns(self) -> None:
        state = state_with(*[register(name, 10) for name in "abc"])
        receivers = []
        for number in range(6):
            state.add_tasks([task(number)])
            receivers += list(given(state))
        assert sorted(receivers) == [b"a", b"a", b"b", b"b", b"c", b"c"]

    def test_urgent_tasks_overtake(self) -> None:
        state = state_with(register("a", 1))
        state.add_tasks([task(1), task(2, priority=1)])
        assert given(state) == {b"a": [2]}

    def test_the_newest_block_is_filled_first(self) -> None:
        managers = [register(name, 1, block=block) for name, block in (("a", "10"), ("b", "9"), ("c", "2"))]
        state = state_with(*managers, selector=BlockIdManagerSelector())
        state.add_tasks([task(1), task(2)])
        assert given(state) == {b"a": [1], b"b": [2]}

    def test_blocks_are_ordered_by_age_and_managers_without_one_come_first(self) -> None:
        blocks = {b"a": "10", b"b": None, b"c": "9", b"d": "other"}
        managers = {name: {"block_id": block} for name, block in blocks.items()}
        assert BlockIdManagerSelector().sort_managers(managers, set(managers)) == [b"b", b"d", b"c", b"a"]

    def test_a_users_list_is_served_from_its_end(self) -> None:
        class ByName(ManagerSelector):
            def sort_managers(self, ready_managers: Any, manager_list: set[bytes]) -> list[bytes]:
                assert all(ready_managers[name]["max_capacity"] == 1 for name in manager_list)
                assert all(ready_managers[name].get("active") for name in manager_list)
                return sorted(manager_list)

        state = state_with(*[register(name, 1) for name in "abc"], selector=ByName())
        state.add_tasks([task(1), task(2)])
        assert given(state) == {b"c": [1], b"b": [2]}

    def test_a_users_selector_may_leave_managers_out(self) -> None:
        class OnlyA(ManagerSelector):
            def sort_managers(self, ready_managers: Any, manager_list: set[bytes]) -> list[bytes]:
                return [name for name in manager_list if ready_managers[name]["block_id"] == "0"]

        state = state_with(register("a"), register("b", block="1"), selector=OnlyA())
        state.add_tasks(map(task, range(10)))
        assert given(state) == {b"a": [0, 1]}

    def test_results_make_room(self) -> None:
        state = state_with(register("a", 1))
        state.add_tasks(map(task, range(3)))
        assert given(state) == {b"a": [0]}
        state.finish(state.managers[b"a"], Results(results(0), 2), 5.0)
        assert given(state) == {b"a": [1, 2]}
        assert state.managers[b"a"].info(6.0).idle_s == 0

    def test_matching_one_task_does_not_check_every_manager(self, monkeypatch: pytest.MonkeyPatch) -> None:
        state = state_with(*[register(str(n), 1, prefetch=1) for n in range(1000)])
        looked = 0
        for number in range(2000):
            state.add_tasks([task(number)])
            for name in given(state):
                looked += 1
                assert len(state.managers[name].held) <= 2
        assert looked == 2000
        assert repr(state.matching) == "<WorkerMatching queued=0 free=0 room=0>"


class TestCancelling:
    def test_a_waiting_task_is_forgotten(self) -> None:
        state = state_with()
        state.add_tasks([task(1), task(2)])
        assert state.cancel(1) is None
        join(state, register("a"), 0.0)
        assert given(state) == {b"a": [2]}

    def test_the_holder_of_a_task_is_named(self) -> None:
        state = state_with(register("a"))
        state.add_tasks([task(1)])
        state.match()
        assert state.cancel(1) is state.managers[b"a"]

    def test_an_unknown_task_has_no_holder(self) -> None:
        assert state_with(register("a")).cancel(7) is None


class TestManagers:
    def test_a_draining_manager_gets_nothing(self) -> None:
        state = state_with(register("a"))
        state.managers[b"a"].draining = True
        state.add_tasks([task(1)])
        assert given(state) == {}

    def test_a_block_on_hold_gets_nothing_until_it_is_released(self) -> None:
        state = state_with(register("a", block="7"))
        state.hold_block("7", True)
        join(state, register("late", block="7"), 0.0)
        state.add_tasks([task(1), task(2)])
        assert given(state) == {}
        state.hold_block("7", False)
        assert sum(len(ids) for ids in given(state).values()) == 2

    def test_a_removed_manager_still_lists_its_tasks(self) -> None:
        state = state_with(register("a"))
        state.add_tasks([task(1), task(2)])
        state.match()
        manager = state.managers[b"a"]
        state.remove(manager)
        assert manager.held == {1, 2}
        assert manager.is_gone
        assert b"a" in state.lost
        state.add_tasks([task(3)])
        assert given(state) == {}

    def test_a_manager_that_registers_again_keeps_its_tasks_and_is_recounted(self) -> None:
        state = state_with(register("a", workers=2))
        state.add_tasks([task(number) for number in range(3)])
        assert given(state) == {b"a": [0, 1]}
        record, unknown = join_and_compare(state, register("a", workers=2, held=[1, 2]), 0.0)
        assert (record.held, unknown) == ({0, 1}, [2])
        assert record.recount is Recount.NEEDED
        assert given(state) == {}
        assert state.recounted(state.managers[b"a"], [1]) == [0]
        assert given(state) == {b"a": [2]}

    def test_results_count_only_from_the_holder_of_the_task(self) -> None:
        state = state_with(register("a"), register("b"))
        state.add_tasks([task(1)])
        [name] = given(state)
        other = b"b" if name == b"a" else b"a"
        assert state.finish(state.managers[other], Results(results(1), 2, 1), 1.0) == []
        assert state.finish(state.managers[name], Results(results(1, 7), 2, 1), 1.0) == results(1)
        assert state.finish(state.managers[name], Results(results(1), 2, 1), 1.0) == []

    def test_reported_tasks_that_were_never_sent_are_unknown(self) -> None:
        state = state_with()
        record, unknown = join_and_compare(state, register("a", held=[8, 9]), 0.0)
        assert (record.held, unknown) == (set(), [8, 9])

    def test_results_are_acknowledged_up_to_the_first_gap(self) -> None:
        state = state_with(register("a"))
        record = state.managers[b"a"]
        for serial, received in ((1, 1), (3, 1), (2, 2), (3, 3), (0, 3)):
            state.finish(state.managers[b"a"], Results([], 2, serial), 1.0)
            assert record.received == received

    def test_silence_and_a_lost_connection_have_their_limits(self) -> None:
        state = state_with(register("silent"), register("cut"), register("well"))
        assert state.managers[b"cut"].lose_contact(100.0)
        assert not state.managers[b"cut"].lose_contact(101.0)
        for name in (b"cut", b"well"):
            state.managers[name].last_heard_s = 100.0
        found = silent(state, 101.0)
        assert set(found) == {b"silent"}
        assert "no message from it for 50 s" in found[b"silent"]
        assert set(silent(state, 103.0)) == {b"silent", b"cut"}
        assert [each.name for each in state.managers.values() if not each.is_connected] == ["cut"]

    def test_the_interchanges_own_stall_does_not_count_as_silence(self) -> None:
        state = state_with(register("a"), register("cut"))
        state.managers[b"a"].heard(100.0)
        state.managers[b"cut"].heard(100.0)
        state.managers[b"cut"].lose_contact(100.0)
        state.extend_deadlines(100.0)
        assert silent(state, 202.0) == {}
        assert set(silent(state, 203.0)) == {b"cut"}
        assert set(silent(state, 251.0)) == {b"a", b"cut"}

    def test_a_lost_manager_has_no_contact_to_lose(self) -> None:
        state = state_with(register("a"))
        manager = state.managers[b"a"]
        state.remove(manager)
        assert not manager.lose_contact(1.0)

    def test_a_reconnected_manager_is_recounted_before_it_gets_more_tasks(self) -> None:
        state = state_with(register("a", 3))
        state.add_tasks([task(1), task(2)])
        state.match()
        record = state.managers[b"a"]
        record.functions.add(b"f")
        state.managers[b"a"].lose_contact(1.0)
        state.add_tasks([task(3)])
        assert given(state) == {}
        record.heard(2.0)
        assert record.recount is Recount.NEEDED
        assert given(state) == {}
        assert state.recounted(state.managers[b"a"], [1]) == [2]
        assert record.held == {1}
        assert not record.functions
        assert given(state) == {b"a": [3]}

    def test_only_the_reply_to_the_latest_recount_counts(self) -> None:
        record = state_with(register("a")).managers[b"a"]
        assert not record.is_awaited(0)
        first = record.request_recount()
        assert not record.is_awaited(0)  # an answer sent before the probe
        assert record.is_awaited(first)
        second = record.request_recount()
        assert not record.is_awaited(first)
        assert record.is_awaited(second)


class Life(RuleBasedStateMachine):
    """Tasks, managers and failures in random order."""

    managers = Bundle("managers")

    def __init__(self) -> None:
        super().__init__()
        self.state = InterchangeState(WorkerMatching(RandomManagerSelector()))
        self.numbers = iter(range(1, 10**9))
        self.names = iter(range(10**9))
        self.alive: set[int] = set()
        self.held: dict[bytes, set[int]] = {}
        self.registrations: dict[bytes, Register] = {}

    @rule(count=st.integers(1, 8), priority=st.none() | st.integers(-2, 2))
    def submit(self, count: int, priority: float | None) -> None:
        tasks = [task(next(self.numbers), priority) for _ in range(count)]
        self.alive.update(found.id for found in tasks)
        self.state.add_tasks(tasks)

    @rule(target=managers, workers=st.integers(1, 4), prefetch=st.integers(0, 5), block=st.sampled_from("01"))
    def join(self, workers: int, prefetch: int, block: str) -> bytes:
        name = str(next(self.names)).encode()
        self.registrations[name] = register(name.decode(), workers, prefetch, block)
        join(self.state, self.registrations[name])
        self.held[name] = set()
        return name

    @rule(name=managers)
    def join_again(self, name: bytes) -> None:
        if name in self.held:
            join(self.state, self.registrations[name])

    @rule()
    def match(self) -> None:
        for manager, tasks in self.state.match():
            for found in tasks:
                assert found.id in self.alive
                assert not any(found.id in held for held in self.held.values()), "given twice"
                self.held[manager.identity].add(found.id)
            assert len(manager.held) <= manager.capacity
            assert manager.takes_tasks

    @rule(name=managers, data=st.data())
    def answer(self, name: bytes, data: Any) -> None:
        held = sorted(self.held.get(name, ()))
        if not held:
            return
        done = data.draw(st.lists(st.sampled_from(held), unique=True))
        capacity = data.draw(st.integers(self.state.managers[name].workers, 12))
        self.state.finish(self.state.managers[name], Results(results(*done), capacity), 1.0)
        self.held[name] -= set(done)
        self.alive -= set(done)

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def cancel(self, data: Any) -> None:
        number = data.draw(st.sampled_from(sorted(self.alive)))
        holder = self.state.cancel(number)
        holders = [name for name, held in self.held.items() if number in held]
        assert ([holder.identity] if holder else []) == holders
        if holder is None:
            self.alive.discard(number)

    @rule(name=managers)
    def cut_off(self, name: bytes) -> None:
        if name in self.held:
            self.state.managers[name].lose_contact(0.0)

    @rule(name=managers, data=st.data())
    def come_back(self, name: bytes, data: Any) -> None:
        if (record := self.state.managers.get(name)) is None:
            return
        record.heard(1.0)
        if record.recount is Recount.NOT_NEEDED:
            return
        kept = data.draw(st.sets(st.sampled_from(sorted(record.held)))) if record.held else set()
        lost = self.state.recounted(record, kept)
        assert set(lost) == self.held[name] - kept
        self.alive -= set(lost)
        self.held[name] = kept

    @rule(block=st.sampled_from("01"), is_held=st.booleans())
    def hold(self, block: str, is_held: bool) -> None:
        self.state.hold_block(block, is_held)

    @rule(name=consumes(managers))
    def lose(self, name: bytes) -> None:
        if name in self.held:
            manager = self.state.managers[name]
            self.state.remove(manager)
            assert manager.held == self.held.pop(name)
            self.alive -= manager.held

    @invariant()
    def every_task_is_in_one_place(self) -> None:
        queue = self.state.matching.queue
        waiting = {found.id for found in deepcopy(queue).take(len(queue))}
        assert len(queue) == len(waiting)
        held = [number for numbers in self.held.values() for number in numbers]
        assert sorted([*waiting, *held]) == sorted(self.alive)
        assert {name: record.held for name, record in self.state.managers.items()} == self.held

    def teardown(self) -> None:
        """At the end, one manager has room for all waiting tasks and gets them at once."""
        for name in list(self.state.managers):
            self.state.managers[name].heard(2.0)
            self.state.recounted(self.state.managers[name], self.held[name])
        for block in "01":
            self.state.hold_block(block, False)
        join(self.state, register("last", 10_000), 0.0)
        self.state.match()
        assert len(self.state.matching.queue) == 0


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


class TestTime:
    """Tasks with an expected run time, and managers whose jobs end."""

    @staticmethod
    def timed(number: int, runtime_s: float) -> Task:
        return Task(number, b"", b"", runtime_s=runtime_s)

    @staticmethod
    def ending(name: str, ends_in_s: float | None, workers: int = 2, prefetch: int = 0) -> Register:
        return register(name, workers, prefetch, ends_in_s=ends_in_s)

    def test_a_task_goes_where_there_is_enough_time(self) -> None:
        state = state_with(self.ending("short", 100), self.ending("long", 1000))
        state.add_tasks([self.timed(1, 500), self.timed(2, 500), self.timed(3, 500)])
        assert given(state) == {b"long": [1, 2]}
        assert len(state.matching.queue) == 1
        state.finish(state.managers[b"long"], Results(results(1, 2), 2), 10.0)
        assert given(state, 501.0) == {}
        join(state, self.ending("new", None), 501.0)
        assert list(given(state, 501.0)) == [b"new"]

    def test_other_tasks_overtake_a_timed_task(self) -> None:
        state = state_with(self.ending("short", 100))
        state.add_tasks([self.timed(1, 500), task(2), self.timed(3, 50)])
        assert given(state) == {b"short": [2, 3]}

    def test_a_timed_task_is_not_fetched_ahead(self) -> None:
        state = state_with(self.ending("a", 100, workers=1, prefetch=10))
        state.add_tasks([self.timed(1, 50), self.timed(2, 50), task(3)])
        assert given(state) == {b"a": [1, 3]}

    def test_tasks_without_enough_time_anywhere_are_counted(self) -> None:
        state = state_with()
        state.add_tasks([self.timed(1, 500), self.timed(2, 60), self.timed(3, 5000), task(4)])
        assert state.count_without_time(0.0) == 0, "there is no manager"
        join(state, self.ending("a", 1000), 0.0)
        join(state, self.ending("b", 100), 0.0)
        assert state.count_without_time(0.0) == 0, "no manager ever had the time for task 3"
        assert state.count_without_time(500.0) == 0
        assert state.count_without_time(501.0) == 1
        assert state.count_without_time(941.0) == 2
        join(state, self.ending("c", None), 941.0)
        assert state.count_without_time(941.0) == 0
        state.managers[b"c"].draining = True
        assert state.count_without_time(941.0) == 3

    def test_a_timed_task_can_be_cancelled(self) -> None:
        state = state_with()
        state.add_tasks([self.timed(1, 50)])
        assert state.cancel(1) is None
        join(state, self.ending("a", None), 0.0)
        assert given(state) == {}
