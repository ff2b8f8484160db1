"""Tasks by priority and arrival; a task with an expected run time goes only where enough time is left."""

from __future__ import annotations

import math
from copy import deepcopy

from hypothesis import given
from hypothesis import strategies as st

from parsl.executors.high_throughput.interchange.task_queue import TaskQueue
from parsl.executors.high_throughput.wire.protocol import Task


def task(number: int, runtime_s: float | None = None, priority: float | None = None) -> Task:
    return Task(number, b"", b"", priority=priority, runtime_s=runtime_s)


def ids(tasks: list[Task]) -> list[int]:
    return [found.id for found in tasks]


def left_in(queue: TaskQueue) -> list[Task]:
    """Return the tasks that wait, in order."""
    return deepcopy(queue).take(len(queue))


def test_tasks_are_taken_by_priority_and_then_by_arrival() -> None:
    queue = TaskQueue()
    queue.extend(
        [
            task(1),
            task(2, priority=5),
            task(3, priority=-1),
            task(4),
            task(5, priority=5),
            task(6, priority=0),
        ]
    )
    assert [found.id for found in queue.take(10)] == [3, 6, 2, 5, 1, 4]


def test_dropped_tasks_without_run_times_are_not_taken() -> None:
    queue = TaskQueue()
    queue.extend([task(1), task(2, priority=1), task(3)])
    queue.drop(1)
    queue.drop(2)
    assert len(queue) == 1
    assert ids(left_in(queue)) == [3]
    assert [found.id for found in queue.take(2)] == [3]
    assert repr(queue) == "<TaskQueue tasks=0>"


def test_tasks_that_fit_are_taken_in_order_and_the_rest_stays() -> None:
    queue = TaskQueue()
    queue.extend([task(1, 100), task(2), task(3, 10), task(4, 10, priority=1), task(5, priority=2)])
    assert ids(queue.take(10, left_s=50)) == [4, 5, 2, 3]
    assert len(queue) == 1
    assert ids(queue.take(10, left_s=99.9)) == []
    assert ids(queue.take(10, left_s=100)) == [1]
    assert len(queue) == 0


def test_without_a_limit_tasks_are_taken_by_arrival() -> None:
    queue = TaskQueue()
    queue.extend([task(1, 5), task(2), task(3, 500), task(4), task(5, 5)])
    assert ids(queue.take(4)) == [1, 2, 3, 4]
    assert ids(left_in(queue)) == [5]


def test_dropped_timed_tasks_are_not_taken() -> None:
    queue = TaskQueue()
    queue.extend([task(1, 5), task(2), task(3, 5), task(4, priority=1)])
    for number in (1, 2, 4):
        queue.drop(number)
    assert len(queue) == 1
    assert ids(left_in(queue)) == [3]
    assert ids(queue.take(5)) == [3]
    assert len(queue) == 0


tasks = st.lists(
    st.tuples(
        st.one_of(st.none(), st.floats(0.1, 1000)), st.one_of(st.none(), st.integers(0, 3)), st.booleans()
    ),
    max_size=30,
)


@given(tasks, st.lists(st.tuples(st.integers(1, 4), st.floats(-1, 1100)), max_size=12))
def test_every_task_is_taken_once_and_in_time(
    waiting: list[tuple[float | None, int | None, bool]], takes: list[tuple[int, float]]
) -> None:
    queue = TaskQueue()
    all_tasks = [task(number, runtime, priority) for number, (runtime, priority, _) in enumerate(waiting)]
    queue.extend(all_tasks)
    dropped = {number for number, (_, _, is_dropped) in enumerate(waiting) if is_dropped}
    for number in dropped:
        queue.drop(number)
    taken: list[int] = []
    for count, left_s in takes:
        expected_left = [found for found in left_in(queue) if found.runtime_s is None]
        got = queue.take(count, left_s)
        assert all(found.runtime_s is None or found.runtime_s <= left_s for found in got)
        assert len(got) >= min(count, len(expected_left))
        taken += ids(got)
        assert len(queue) == len(left_in(queue))
    rest = ids(queue.take(1000, math.inf))
    assert sorted(taken + rest) == sorted(set(range(len(waiting))) - dropped)
    order = [(math.inf if all_tasks[n].priority is None else all_tasks[n].priority, n) for n in rest]
    assert order == sorted(order)
