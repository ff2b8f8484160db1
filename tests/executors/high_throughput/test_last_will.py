"""What the interchange runs for a driver that is dead."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from parsl.executors.high_throughput import last_will
from parsl.executors.high_throughput.last_will import LastWill

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_commands_are_run_and_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    will = LastWill()
    will.commands = [["touch", f"{tmp_path}/a b;c"], ["/no/such/command"], [sys.executable, "-c", "exit(3)"]]
    will.begin()
    will.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["a b;c"]
    assert "/no/such/command cannot be run" in caplog.text
    assert "ended with code 3; jobs may be left" in caplog.text


def test_a_command_that_hangs_is_killed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(last_will, "HEAD_START_S", 0.01)
    monkeypatch.setattr(last_will, "PATIENCE_S", 0.05)
    will = LastWill()
    will.commands = [["sleep", "1000"]]
    began_s = time.monotonic()
    will.begin()
    assert repr(will) == "<LastWill commands=1 running=1>"
    will.finish()
    assert time.monotonic() - began_s < 100
    assert "does not end: killed" in caplog.text


def test_without_jobs_nothing_happens() -> None:
    will = LastWill()
    will.begin()
    will.finish()
    assert repr(will) == "<LastWill commands=0 running=0>"
