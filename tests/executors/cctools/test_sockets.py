"""What the debug log of a library shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from parsl.executors.cctools.sockets import DebugLog


@pytest.mark.parametrize("is_kept", [True, False])
def test_news_are_read_once(tmp_path: Path, is_kept: bool) -> None:
    path = tmp_path / "debug"
    log = DebugLog(str(path), is_kept)
    assert not log.has_received()
    with path.open("a") as file:
        file.write("wq: rx from node (1.2.3.4:5): alive\n")
    assert log.has_received()
    assert not log.has_received()
    assert not log.has_loss
    with path.open("a") as file:
        file.write("worker node removed\n")
    assert log.has_received()
    assert log.has_loss
    assert bool(path.read_text()) == is_kept


def test_alarms_are_found_once(tmp_path: Path) -> None:
    path = tmp_path / "debug"
    alarm = r"failed on worker \S+ \((?P<worker>[^)]+)\)|Task (?P<task>\d+) is lost"
    log = DebugLog(str(path), is_kept=True, alarm=alarm)
    with path.open("a") as file:
        file.write("Library parsl failed on worker node (1.2.3.4:5)\nTask 7 is lost\nTask 1")
    assert log.has_received() is False
    assert log.find_alarms() == [("worker", "1.2.3.4:5"), ("task", "7")]
    with path.open("a") as file:
        file.write("2 is lost\n")
    assert log.find_alarms() == [("task", "12")]
    assert log.find_alarms() == []
