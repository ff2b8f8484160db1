"""The executors' own threads in the driver: one that cannot go on fails what depended on it, and says so."""

from __future__ import annotations

import pickle
import threading
from typing import TYPE_CHECKING, Any

import pytest

from parsl.executors.errors import ThreadLost
from parsl.executors.local.deadlines import DeadlineWatch
from parsl.executors.local.thread_pool import ThreadPool
from parsl.jobs.states import JobState
from tests.executors.fakes import FakeExecutor, FakeProvider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import WaitUntil

PATIENCE_S = 30


class Broken(BaseException):
    """What nobody reckons with."""


@pytest.fixture
def pool() -> Iterator[ThreadPool]:
    pool = ThreadPool(1, "pool")
    yield pool
    pool.shutdown(timeout_s=PATIENCE_S)


@pytest.fixture
def no_more_threads(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """From now on the system refuses to start threads, as it does beyond `ulimit -u`."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    return monkeypatch


def test_the_error_says_which_thread_and_survives_pickling() -> None:
    error = ThreadLost("htex-io", "reads results", ValueError("odd"))
    assert "'htex-io', which reads results, has ended on ValueError: odd" in str(error)
    assert isinstance(error.__cause__, ValueError)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


# Threads that run tasks


def test_a_pool_thread_fails_the_task_that_it_cannot_run_and_goes_on(
    pool: ThreadPool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(delay_s: float, action: object) -> Any:
        raise Broken("no deadlines")

    monkeypatch.setattr(pool.watch, "add", broken)
    task = pool.submit(int, (), {}, walltime_s=60)
    with pytest.raises(ThreadLost, match="'pool_0', which runs tasks, has ended on Broken: no deadlines"):
        task.result(PATIENCE_S)
    assert pool.submit(int, ("7",), {}).result(PATIENCE_S) == 7
    assert "goes on after an error" in caplog.text


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
    pool: ThreadPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        may_end.wait(PATIENCE_S)

    held = pool.submit(hold, (), {}, walltime_s=600)
    assert entered.wait(PATIENCE_S)
    waiting = pool.submit(int, (), {})

    def refuse() -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(pool, "_start_thread", refuse)
    pool.time_is_up(held)
    assert "exceeded walltime" in str(held.exception(PATIENCE_S))
    with pytest.raises(ThreadLost, match="can't start new thread"):
        waiting.result(PATIENCE_S)
    may_end.set()


# The thread that watches walltimes


def test_a_call_that_is_due_is_made_without_a_thread_of_its_own_if_need_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watch = DeadlineWatch("watch")
    called: list[str] = []
    second = threading.Event()
    may_start = threading.Event()
    watch.add(0, may_start.wait)  # the watch's own thread is there now

    def refuse(action: object) -> None:
        raise RuntimeError("can't start new thread")

    def fail() -> None:
        called.append(threading.current_thread().name)
        raise Broken

    may_start.set()
    monkeypatch.setattr(watch, "_call", refuse)
    watch.add(0, fail)
    watch.add(0, second.set)
    assert second.wait(PATIENCE_S)
    assert called == ["watch-walltimes"]
    watch.close()


# The thread that submits blocks


def test_a_submission_that_breaks_fails_its_blocks_and_the_next_ones_are_submitted(
    wait_until: WaitUntil, caplog: pytest.LogCaptureFixture
) -> None:
    class SlowProvider(FakeProvider):
        submits_at_once = False

    def break_down(job_id: str) -> None:
        raise Broken("in the middle")

    provider = SlowProvider(init_blocks=2)
    provider.before_submit_returns = break_down
    executor = FakeExecutor(provider)
    executor.blocks.start()
    executor.blocks.wait_for_submissions(PATIENCE_S)
    assert {status.state for status in executor.status_facade.values()} == {JobState.FAILED}
    assert all("Broken: in the middle" in str(s.message) for s in executor.status_facade.values())
    assert "submitting blocks has failed" in caplog.text
    provider.before_submit_returns = lambda job_id: None
    assert executor.scale_out_facade(1) == ["2"]
    wait_until(lambda: "2" in executor.blocks_to_job_id)
    executor.blocks.wait_for_submissions(PATIENCE_S)
