"""The thread pool by itself: its threads, and what happens when they cannot continue."""

from __future__ import annotations

import threading
import time
from concurrent.futures import wait
from typing import TYPE_CHECKING, Any

import pytest

from parsl.app.bash_task import BashTask
from parsl.executors.errors import ThreadLost
from parsl.executors.local.thread_pool import ThreadPool
from parsl.vocabulary.run_observer import usage_of

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_S = 30


class Broken(BaseException):
    """An error that no code expects."""


@pytest.fixture
def pool() -> Iterator[ThreadPool]:
    pool = ThreadPool(1, "pool")
    yield pool
    pool.shutdown(timeout_s=PATIENCE_S)


def test_a_thread_fails_the_task_that_it_cannot_run_and_continues(
    pool: ThreadPool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(delay_s: float, action: object) -> Any:
        raise Broken("no deadlines")

    monkeypatch.setattr(pool.watch, "add", broken)
    task = pool.submit(int, (), {}, walltime_s=60)
    with pytest.raises(ThreadLost, match="'pool_0', which runs tasks, has failed with Broken: no deadlines"):
        task.result(PATIENCE_S)
    assert pool.submit(int, ("7",), {}).result(PATIENCE_S) == 7
    assert "continues after an error" in caplog.text


def test_a_callback_that_exits_ends_no_thread(pool: ThreadPool, caplog: pytest.LogCaptureFixture) -> None:
    may_end = threading.Event()
    called = threading.Event()
    task = pool.submit(may_end.wait, (PATIENCE_S,), {})
    task.add_done_callback(lambda _: exit(3))
    task.add_done_callback(lambda _: called.set())
    may_end.set()
    assert called.wait(PATIENCE_S)
    assert pool.submit(threading.current_thread, (), {}).result(PATIENCE_S).name == "pool_0"
    assert "SystemExit: 3" in caplog.text


def test_tasks_do_not_wait_for_a_thread_that_cannot_be_started(
    pool: ThreadPool, no_more_threads: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RuntimeError, match="can't start new thread"):
        pool.submit(int, (), {})
    no_more_threads.undo()
    assert pool.submit(int, ("7",), {}).result(PATIENCE_S) == 7


def test_tasks_do_not_wait_for_a_thread_that_cannot_be_replaced(
    pool: ThreadPool, request: pytest.FixtureRequest
) -> None:
    entered, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        may_end.wait(PATIENCE_S)

    held = pool.submit(hold, (), {}, walltime_s=600)
    assert entered.wait(PATIENCE_S)
    waiting = pool.submit(int, (), {})
    request.getfixturevalue("no_more_threads")
    pool.end_overdue(held)
    assert "exceeded walltime" in str(held.exception(PATIENCE_S))
    with pytest.raises(ThreadLost, match="can't start new thread"):
        waiting.result(PATIENCE_S)
    may_end.set()


def test_threads_are_started_on_demand_up_to_the_limit() -> None:
    pool = ThreadPool(2, "few")
    entered, may_end = threading.Semaphore(0), threading.Event()

    def hold() -> str:
        entered.release()
        assert may_end.wait(PATIENCE_S)
        return "held"

    first = pool.submit(hold, (), {})
    assert entered.acquire(timeout=PATIENCE_S)
    assert repr(pool) == "<ThreadPool few threads=1/2 running=1 queued=0>"
    others = [pool.submit(hold, (), {}) for _ in range(3)]
    assert entered.acquire(timeout=PATIENCE_S)
    assert not entered.acquire(timeout=0.05)
    assert repr(pool) == "<ThreadPool few threads=2/2 running=2 queued=2>"
    may_end.set()
    assert [future.result(PATIENCE_S) for future in [first, *others]] == ["held"] * 4
    pool.shutdown(timeout_s=PATIENCE_S)


def test_an_idle_thread_is_used_before_another_is_started() -> None:
    pool = ThreadPool(2, "few")
    for _ in range(20):
        pool.submit(int, (), {}).result(PATIENCE_S)
    assert "threads=1/2" in repr(pool)
    pool.shutdown(timeout_s=PATIENCE_S)


def test_finished_tasks_leave_no_deadlines_in_memory(pool: ThreadPool) -> None:
    wait([pool.submit(int, (), {}, walltime_s=1000) for _ in range(5000)], timeout=PATIENCE_S)
    assert pool.watch.size < 1000
    assert repr(pool.watch) == "<DeadlineWatch pending=0>"


def test_tasks_are_measured_unless_they_are_short(pool: ThreadPool) -> None:
    long, short = pool.submit(time.sleep, (0.01,), {}), pool.submit(int, (), {})
    failing = pool.submit(raise_later, (), {})
    command = pool.submit(BashTask(count), (), {})
    wait([long, short, failing, command], PATIENCE_S)
    assert usage_of(long) is not None
    assert usage_of(long).run_s >= 0.01
    assert usage_of(long)[1:] == (-1.0, -1, -1, -1)
    assert usage_of(failing) is not None
    assert usage_of(command) is not None
    assert usage_of(command).cpu_s > 0


def raise_later() -> None:
    time.sleep(0.01)
    raise ValueError("on purpose")


def count() -> str:
    return "for i in {1..20000}; do :; done"
