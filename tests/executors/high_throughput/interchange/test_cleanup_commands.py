"""What the interchange runs for a driver that is dead."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from parsl.common.processes import is_alive
from parsl.executors.high_throughput.interchange import cleanup_commands as cleanup_commands
from parsl.executors.high_throughput.interchange.cleanup_commands import CleanupRunner

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import WaitUntil


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleanup_commands, "HEAD_START_S", 0.01)
    monkeypatch.setattr(cleanup_commands, "PATIENCE_S", 0.05)


def test_the_commands_are_run_and_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    will = CleanupRunner()
    will.commands = [["touch", f"{tmp_path}/a b;c"], ["/no/such/command"], [sys.executable, "-c", "exit(3)"]]
    will.begin()
    will.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["a b;c"]
    assert "/no/such/command cannot be run" in caplog.text
    assert "ended with code 3; jobs may be left" in caplog.text


def test_the_commands_are_run_one_after_the_other_in_their_order(tmp_path: Path) -> None:
    log = tmp_path / "log"
    will = CleanupRunner()
    for name in ("first", "second", "third"):
        will.take(
            [*will.commands, ["sh", "-c", f"echo begin {name} >> {log}; echo end {name} >> {log}"]], False
        )
    will.take([["sh", "-c", f"echo the newest >> {log}"]], True)
    will.begin()
    will.finish()
    assert log.read_text().splitlines() == [
        "the newest",
        *(f"{what} {name}" for name in ("first", "second", "third") for what in ("begin", "end")),
    ]


@pytest.mark.usefixtures("impatient")
def test_a_command_that_hangs_is_killed_with_what_it_has_started_and_the_others_are_run(
    tmp_path: Path, wait_until: WaitUntil, caplog: pytest.LogCaptureFixture
) -> None:
    pids = tmp_path / "pids"
    will = CleanupRunner()
    wrapper = f"sleep 1000 & echo $! $$ > {pids}.new; mv {pids}.new {pids}; wait"
    will.commands = [["sh", "-c", wrapper], ["touch", f"{tmp_path}/next"]]
    will.begin()
    assert repr(will) == "<CleanupRunner commands=1 running=True>"
    wait_until(pids.exists)
    will.finish()
    assert "does not end: killed" in caplog.text
    assert (tmp_path / "next").exists()
    for pid in map(int, pids.read_text().split()):
        wait_until(lambda pid=pid: not is_alive(pid))


@pytest.mark.usefixtures("impatient")
def test_what_there_is_no_time_for_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cleanup_commands, "PATIENCE_IN_ALL_S", 0.0)
    will = CleanupRunner()
    will.commands = [["sleep", "1000"], ["qdel", "7"]]
    will.begin()
    will.finish()
    assert "jobs are left, cancel them: [['qdel', '7']]" in caplog.text


def test_without_jobs_nothing_happens() -> None:
    will = CleanupRunner()
    will.begin()
    will.finish()
    assert repr(will) == "<CleanupRunner commands=0 running=False>"
