"""Tests of executors whose engine keeps large results. Those of an engine's executor are subclasses."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

import parsl
from parsl import Config, python_app
from parsl.executors import ThreadPoolExecutor
from parsl.executors.base import ParslExecutor

LIMIT_S = 60
SIZE = 2_000_000


class Traced:
    """Data that notes each process that unpickles it."""

    def __init__(self, data: bytes, path: str) -> None:
        self.data = data
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.data, self.path)


def _rebuild(data: bytes, path: str) -> Traced:
    with open(path, "a") as file:
        file.write(f"{os.getpid()}\n")
    return Traced(data, path)


def make(path: str) -> Traced:
    return Traced(b"x" * SIZE, path)


def size_of(*values: Traced) -> int:
    return sum(len(value.data) for value in values)


def processes(path: Path) -> set[int]:
    return {int(line) for line in path.read_text().split()} if path.exists() else set()


class KeepsResults:
    """The tests. A subclass implements :meth:`make_executor`."""

    def make_executor(self) -> ParslExecutor:
        """Return a new executor with the label "keeping"."""
        raise NotImplementedError

    @pytest.fixture
    def apps(self, tmp_path: Path) -> Iterator[tuple[Callable[..., Any], ...]]:
        executors = [self.make_executor(), ThreadPoolExecutor(label="threads")]
        with parsl.load(Config(executors=executors, run_dir=str(tmp_path), strategy="none")):
            yield (
                python_app(make, executors=["keeping"]),
                python_app(size_of, executors=["keeping"]),
                python_app(size_of, executors=["threads"]),
            )

    def test_a_result_between_tasks_does_not_come_home(self, apps: Any, tmp_path: Path) -> None:
        make_app, size_app, _ = apps
        path = tmp_path / "opened"
        first, second = make_app(str(path)), make_app(str(path))
        assert size_app(first, second, first).result(LIMIT_S) == 3 * SIZE
        assert processes(path)
        assert os.getpid() not in processes(path)
        assert len(first.result(LIMIT_S).data) == SIZE
        assert os.getpid() in processes(path)

    def test_a_task_elsewhere_gets_it(self, apps: Any, tmp_path: Path) -> None:
        make_app, _, here = apps
        assert here(make_app(str(tmp_path / "opened"))).result(LIMIT_S) == SIZE

    def test_a_result_can_be_read_after_the_run(self, tmp_path: Path) -> None:
        config = Config(executors=[self.make_executor()], run_dir=str(tmp_path), exit_mode="wait")
        with parsl.load(config):
            future = python_app(make)(str(tmp_path / "opened"))
        assert len(future.result(LIMIT_S).data) == SIZE

    def test_a_callback_reads_another_result(self, apps: Any, tmp_path: Path) -> None:
        make_app, _, _ = apps
        first, second = make_app(str(tmp_path / "opened")), make_app(str(tmp_path / "opened"))
        assert first.exception(LIMIT_S) is second.exception(LIMIT_S) is None  # does not fetch
        size: Future[int] = Future()
        first.add_done_callback(lambda _: size.set_result(len(second.result(LIMIT_S).data)))
        assert size.result(LIMIT_S) == SIZE
