"""Only tasks in threads that take long are reported."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from time import perf_counter, time
from types import SimpleNamespace
from typing import Any

import pytest

from parsl.executors.local.running_watch import RunningWatch
from parsl.vocabulary.run_observer import REPORTED_AFTER_S
from tests.conftest import WaitUntil


class Scene:
    def __init__(self) -> None:
        self.running: dict[Future[Any], Any] = {}
        self.reports: list[list[tuple[Future[Any], float]]] = []
        self.watch = RunningWatch("pool", self.running, self.reports.append)

    def start(self, age_s: float) -> Future[Any]:
        future: Future[Any] = Future()
        self.running[future] = SimpleNamespace(start_s=perf_counter() - age_s)
        return future


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_long_tasks_are_reported_once(scene: Scene) -> None:
    long, short = scene.start(2 * REPORTED_AFTER_S), scene.start(0.0)
    scene.watch.look(perf_counter())
    scene.watch.look(perf_counter())
    [[(future, moment_s, *_)]] = scene.reports
    assert future is long
    assert time() - 10 * REPORTED_AFTER_S < moment_s <= time() - 2 * REPORTED_AFTER_S
    assert repr(scene.watch) == "<RunningWatch pool reported=1 asleep=True>"
    del scene.running[long]
    scene.watch.look(perf_counter() + REPORTED_AFTER_S)
    assert [report[0][0] for report in scene.reports] == [long, short]
    assert repr(scene.watch) == "<RunningWatch pool reported=1 asleep=True>"


def test_the_thread_sleeps_while_nothing_runs(scene: Scene, wait_until: WaitUntil) -> None:
    long = scene.start(REPORTED_AFTER_S)
    scene.watch.wake()
    wait_until(lambda: len(scene.reports) == 1)
    assert not scene.watch.is_asleep
    del scene.running[long]
    wait_until(lambda: scene.watch.is_asleep)
    scene.start(REPORTED_AFTER_S)
    scene.watch.wake()
    wait_until(lambda: len(scene.reports) == 2)
    scene.watch.close()
    assert "pool-watch" not in {thread.name for thread in threading.enumerate()}


def test_without_a_report_there_is_no_thread() -> None:
    assert not RunningWatch("pool", {}, None).is_asleep


def test_without_threads_there_are_no_reports(scene: Scene, no_more_threads: pytest.MonkeyPatch) -> None:
    scene.start(REPORTED_AFTER_S)
    scene.watch.wake()
    scene.watch.close()
    assert scene.reports == []
