from __future__ import annotations

import threading

import pytest

from parsl.dataflow.work_loop import WorkLoop


def test_work_runs_at_once_and_followed_by_work_that_it_makes_ready() -> None:
    loop, seen = WorkLoop(), []

    def first() -> None:
        loop.run_soon(seen.append, "second")
        loop.run_now(seen.append, "nested")
        seen.append("first")

    loop.run_soon(first)
    assert seen == ["nested", "first", "second"]


def test_a_failing_step_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    loop, seen = WorkLoop(), []

    def first() -> None:
        loop.run_soon(lambda: 1 / 0)
        loop.run_soon(seen.append, 2)

    loop.run_now(first)
    assert seen == [2]
    assert "A step of the kernel failed" in caplog.text


def test_interrupted_work_is_continued_by_the_next_loop_in_any_thread() -> None:
    loop, seen = WorkLoop(), []

    def interrupt() -> None:
        raise KeyboardInterrupt

    def first() -> None:
        loop.run_soon(interrupt)
        loop.run_soon(seen.append, "left over")

    with pytest.raises(KeyboardInterrupt):
        loop.run_now(first)
    assert seen == []
    thread = threading.Thread(target=loop.run_now, args=(seen.append, "next"))
    thread.start()
    thread.join()
    assert seen == ["next", "left over"]


def test_each_thread_has_its_own() -> None:
    loop, seen = WorkLoop(), []

    def first() -> None:
        thread = threading.Thread(target=loop.run_soon, args=(seen.append, "other thread"))
        thread.start()
        thread.join()
        seen.append("first")

    loop.run_soon(first)
    assert seen == ["other thread", "first"]
    assert repr(loop) == "<WorkLoop 0 waiting, idle>"
