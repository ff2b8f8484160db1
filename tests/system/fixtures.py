"""Fixtures for tests of whole runs, imported by several conftest.py."""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from parsl.executors.high_throughput.driver import endpoints
from parsl.executors.high_throughput.driver.endpoints import LocalSocket, listen_unix
from tests import leftovers
from tests.system.driver import Driver
from tests.system.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import WaitUntil

    StartRun = Callable[..., Run]
    StartDriver = Callable[..., Driver]


@pytest.fixture
def start_run(tmp_path: Path, wait_until: WaitUntil) -> Iterator[StartRun]:
    """Start a :class:`Run` with options; check afterwards that it has left nothing behind."""
    runs: list[Run] = []
    mark = resource.getrlimit(psutil.RLIMIT_MSGQUEUE)[0]
    others = leftovers.find(mark)  # left by another test: the end of the session reports them

    def left() -> list[psutil.Process]:
        return [process for process in leftovers.find(mark) if process not in others]

    def start(**options: Any) -> Run:
        runs.append(Run(options.pop("run_dir", tmp_path / "r"), **options))
        return runs[-1]

    yield start
    for run in runs:
        run.close()
    wait_until(lambda: not left(), 60, f"the end of {left()}")
    assert [run.spool for run in runs if run.spool and os.path.exists(run.spool)] == []


@pytest.fixture
def far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run directory without a unix socket: managers have to connect over TCP."""
    directory = tmp_path / "far"

    def listen(log_dir: Path) -> LocalSocket | None:
        return None if directory in log_dir.parents else listen_unix(log_dir)

    monkeypatch.setattr(endpoints, "listen_unix", listen)
    return directory


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    """A directory for `tasks.mark`."""
    directory = tmp_path / "marks"
    directory.mkdir()
    return directory


@pytest.fixture
def start_driver(tmp_path: Path) -> Iterator[Callable[..., Driver]]:
    """Start a :class:`Driver` in ``tmp_path``; end the processes that a failed test leaves."""
    drivers: list[Driver] = []

    def start(body: str, **options: Any) -> Driver:
        directory = tmp_path / f"driver{len(drivers)}"
        directory.mkdir()
        drivers.append(Driver(directory, body, **options))
        return drivers[-1]

    yield start
    for driver in drivers:
        driver.kill_family()
