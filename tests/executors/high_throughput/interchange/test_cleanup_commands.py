"""The interchange runs commands for a driver that has died."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from parsl.common.processes import is_alive
from parsl.executors.high_throughput.interchange import cleanup_commands
from parsl.executors.high_throughput.interchange.cleanup_commands import CleanupRunner

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import WaitUntil


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleanup_commands, "HEAD_START_S", 0.01)
    monkeypatch.setattr(cleanup_commands, "PATIENCE_S", 0.05)


def test_commands_run_to_their_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    runner = CleanupRunner()
    runner.commands = [
        ["touch", f"{tmp_path}/a b;c"],
        ["/no/such/command"],
        [sys.executable, "-c", "exit(3)"],
    ]
    runner.begin()
    runner.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["a b;c"]
    assert "/no/such/command cannot be run" in caplog.text
    assert "ended with code 3; jobs may be left" in caplog.text


def test_commands_run_one_after_the_other_in_their_order(tmp_path: Path) -> None:
    log = tmp_path / "log"
    runner = CleanupRunner()
    for name in ("first", "second", "third"):
        runner.take(
            [*runner.commands, ["sh", "-c", f"echo begin {name} >> {log}; echo end {name} >> {log}"]], False
        )
    runner.take([["sh", "-c", f"echo the newest >> {log}"]], True)
    runner.begin()
    runner.finish()
    assert log.read_text().splitlines() == [
        "the newest",
        *(f"{what} {name}" for name in ("first", "second", "third") for what in ("begin", "end")),
    ]


@pytest.mark.usefixtures("impatient")
def test_a_command_that_hangs_is_killed_with_its_processes_and_the_others_run(
    tmp_path: Path, wait_until: WaitUntil, caplog: pytest.LogCaptureFixture
) -> None:
    pids = tmp_path / "pids"
    runner = CleanupRunner()
    wrapper = f"sleep 1000 & echo $! $$ > {pids}.new; mv {pids}.new {pids}; wait"
    runner.commands = [["sh", "-c", wrapper], ["touch", f"{tmp_path}/next"]]
    runner.begin()
    assert repr(runner) == "<CleanupRunner commands=1 running=True>"
    wait_until(pids.exists)
    runner.finish()
    assert "took too long and was killed" in caplog.text
    assert (tmp_path / "next").exists()
    for pid in map(int, pids.read_text().split()):
        wait_until(lambda pid=pid: not is_alive(pid))


@pytest.mark.usefixtures("impatient")
def test_commands_without_time_are_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cleanup_commands, "PATIENCE_IN_ALL_S", 0.0)
    runner = CleanupRunner()
    runner.commands = [["sleep", "1000"], ["qdel", "7"]]
    runner.begin()
    runner.finish()
    assert "no time left for these commands, run them yourself: [['qdel', '7']]" in caplog.text


def test_without_jobs_nothing_happens() -> None:
    runner = CleanupRunner()
    runner.begin()
    runner.finish()
    assert repr(runner) == "<CleanupRunner commands=0 running=False>"


@pytest.mark.usefixtures("impatient")
def test_the_last_command_may_take_the_time_that_is_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runner = CleanupRunner()
    runner.commands = [["sh", "-c", f"sleep 0.3; touch {tmp_path}/swept"]]
    runner.finish()
    assert (tmp_path / "swept").exists()
    assert not caplog.records[1:]
