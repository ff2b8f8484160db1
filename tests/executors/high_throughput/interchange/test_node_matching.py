"""A manager gets a task only when it has the nodes, a worker and a launch for it."""

from __future__ import annotations

from typing import Any

import msgspec

from parsl.executors.high_throughput.interchange.manager import Manager
from parsl.executors.high_throughput.interchange.node_queue import NodeMatching
from parsl.executors.high_throughput.interchange.state import InterchangeState
from parsl.executors.high_throughput.wire.protocol import DONE, Resources, Result, Results, Task
from tests.executors.high_throughput.interchange.fakes import given, join, register


def task(number: int, nodes: int = 1, priority: float | None = None) -> Task:
    return Task(number, b"f", b"", priority=priority, resources=Resources(nodes, 1, nodes))


def join_nodes(state: InterchangeState, name: bytes = b"m", workers: int = 4, **options: Any) -> Manager:
    return join(state, register(name.decode(), workers, nodes=4, **options))


def started() -> InterchangeState:
    return InterchangeState(NodeMatching())


def ids(state: InterchangeState, now_s: float = 0.0) -> list[tuple[bytes, list[int]]]:
    return list(given(state, now_s).items())


def test_a_task_has_its_nodes_while_it_is_held() -> None:
    state = started()
    join_nodes(state)
    state.add_tasks([task(1, 3), task(2, 2), task(3)])
    assert ids(state) == [(b"m", [1, 3])]
    assert ids(state) == []
    assert repr(state) == "<InterchangeState managers=1 <NodeMatching queued=1>>"
    state.finish(state.managers[b"m"], Results([Result(1, DONE, b"")], 4), 1.0)
    assert ids(state) == [(b"m", [2])]
    assert state.managers[b"m"].held == {2, 3}


def test_a_task_has_its_worker_while_it_is_held() -> None:
    state = started()
    join_nodes(state, workers=1)
    state.add_tasks([task(1), task(2)])
    assert ids(state) == [(b"m", [1])]
    state.finish(state.managers[b"m"], Results([Result(1, DONE, b"")], 1), 1.0)
    assert ids(state) == [(b"m", [2])]


def test_launches_are_counted_except_of_tasks_lost_in_transit() -> None:
    state = started()
    join_nodes(state, launches=3)
    state.add_tasks([task(number) for number in range(5)])
    assert ids(state) == [(b"m", [0, 1, 2])]
    state.finish(state.managers[b"m"], Results([Result(0, DONE, b"")], 4), 1.0)
    assert ids(state) == []
    assert state.recounted(state.managers[b"m"], [1]) == [2]
    assert ids(state) == [(b"m", [3])]
    join_nodes(state, b"n", launches=3)
    assert ids(state) == [(b"n", [4])]


def test_a_manager_that_drains_or_is_on_hold_gets_no_task() -> None:
    state = started()
    join_nodes(state, b"a")
    join_nodes(state, b"b", block="1")
    state.managers[b"a"].draining = True
    state.hold_block("1", True)
    state.add_tasks([task(1)])
    assert ids(state) == []
    state.hold_block("1", False)
    assert ids(state) == [(b"b", [1])]
    manager = state.managers[b"b"]
    state.remove(manager)
    assert manager.held == {1}
    state.add_tasks([task(2)])
    assert ids(state) == []


def test_cancelling_forgets_a_waiting_task_and_finds_the_holder_of_another() -> None:
    state = started()
    join_nodes(state)
    state.add_tasks([task(1, 4), task(2)])
    assert ids(state) == [(b"m", [1])]
    assert state.cancel(1) is state.managers[b"m"]
    assert state.cancel(2) is None
    state.finish(state.managers[b"m"], Results([Result(1, DONE, b"")], 4), 1.0)
    assert ids(state) == []


def test_a_timed_task_does_not_start_in_a_block_with_too_little_time() -> None:
    state = started()
    join(state, register("m", 4, nodes=4, ends_in_s=100), 1000.0)
    state.add_tasks([Task(1, b"f", b"", resources=Resources(1, 1, 1), runtime_s=60), task(2)])
    assert ids(state, 1050.0) == [(b"m", [2])]
    assert ids(state, 1010.0) == [(b"m", [1])]


def test_tasks_without_enough_time_anywhere_are_counted() -> None:
    state = started()
    for name, ends_in_s in (("a", 1000.0), ("b", 100.0)):
        join_nodes(state, name.encode(), ends_in_s=ends_in_s)
    state.add_tasks([task(1, 4), msgspec.structs.replace(task(2, 4), runtime_s=500.0)])
    assert state.count_without_time(0.0) == 0
    assert state.count_without_time(501.0) == 1
