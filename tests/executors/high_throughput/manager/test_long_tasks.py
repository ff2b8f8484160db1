"""Only tasks that take long are reported as running."""

from __future__ import annotations

import pytest

from parsl.executors.high_throughput.manager.long_tasks import LongTasks
from parsl.executors.high_throughput.manager.state import Worker
from parsl.executors.high_throughput.wire.protocol import Running, Task

NEVER = float("inf")


def running(rank: int, task_id: int, since_s: float) -> Worker:
    worker = Worker(rank)
    worker.given.append(Task(task_id, b"", b""))
    worker.started = since_s
    return worker


@pytest.fixture
def long_tasks() -> LongTasks:
    found = LongTasks()
    assert found.due_s == NEVER
    found.tasks_assigned(10.0)
    assert found.due_s == 11.0
    return found


def test_short_tasks_are_never_reported(long_tasks: LongTasks) -> None:
    for number in range(5):
        now_s = 11.0 + number
        long_tasks.tasks_assigned(now_s)
        assert long_tasks.take([running(0, number, now_s - 0.3), Worker(1)], now_s) == {}
        assert long_tasks.due_s == now_s + 1.0


def test_nothing_is_due_without_tasks(long_tasks: LongTasks) -> None:
    assert long_tasks.take([Worker(0)], 11.0) == {}
    assert long_tasks.due_s == NEVER


def test_a_long_task_is_reported_once_with_its_age(long_tasks: LongTasks) -> None:
    workers = [running(0, 7, 10.0), running(1, 8, 10.5)]
    assert long_tasks.take(workers, 11.0) == {7: Running(1.0, 0)}
    assert long_tasks.due_s == 12.0
    assert long_tasks.take(workers, 12.0) == {8: Running(1.5, 1)}
    assert long_tasks.due_s == NEVER
    long_tasks.tasks_assigned(20.0)
    workers[0] = running(0, 9, 20.0)
    assert long_tasks.take(workers, 21.25) == {9: Running(1.25, 0)}
    assert repr(long_tasks) == "<LongTasks reported=2 due_s=inf>"


def test_all_are_reported_again_after_a_loss(long_tasks: LongTasks) -> None:
    workers = [running(0, 7, 10.0)]
    long_tasks.take(workers, 11.0)
    long_tasks.report_again()
    assert long_tasks.due_s <= 11.5
    assert long_tasks.take(workers, 11.5) == {7: Running(1.5, 0)}
    assert long_tasks.due_s == NEVER
