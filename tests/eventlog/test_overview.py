"""Runs side by side."""

from __future__ import annotations

import os

import pytest

from parsl.common.processes import started_at
from parsl.eventlog import answers, records
from parsl.eventlog.file import EventFile
from parsl.eventlog.overview import NO_LOG, newest_runs, overview
from tests.support.event_logs import BEGAN_S, run_began, write_event_log


def test_a_run_that_has_ended(tmp_path):
    write_event_log(tmp_path, 100, fail_every=10, waiting=5)
    run = overview(str(tmp_path))
    assert (run.standing, run.workflow) == (answers.ENDED, "train.py")
    assert (run.done, run.failed) == (90, 10)
    assert (run.began_s, run.duration_s) == (BEGAN_S, pytest.approx(1.1))


def test_a_run_whose_driver_is_lost(tmp_path):
    write_event_log(tmp_path, 100, fail_every=10, waiting=5, is_over=False)
    run = overview(str(tmp_path))
    assert run.standing == answers.LOST
    assert (run.done, run.failed, run.unfinished) == (90, 10, 5)


def test_a_large_log_is_known_from_its_totals(tmp_path, monkeypatch):
    monkeypatch.setattr("parsl.eventlog.overview._SMALL_BYTES", 1000)
    write_event_log(tmp_path, 100, fail_every=10, is_over=False)
    run = overview(str(tmp_path))
    assert (run.done, run.failed, run.unfinished) == (90, 10, 0)


def test_a_run_that_goes_on(tmp_path):
    file = EventFile(str(tmp_path / records.EVENT_LOG))
    file.write(run_began(pid=os.getpid(), process_started=started_at(os.getpid())))
    run = overview(str(tmp_path))
    assert (run.standing, run.ended_s, run.duration_s) == (answers.RUNNING, None, None)


def test_damage_in_the_middle_hides_only_itself(tmp_path):
    path = write_event_log(tmp_path, 5000, waiting=3, is_over=True)
    data = bytearray(path.read_bytes())
    data[5000:5100] = bytes(100)
    data[120:124] = b"\0" * 4
    path.write_bytes(data)
    assert overview(str(tmp_path)).done == 5000


def test_runs_without_a_readable_log_are_listed(tmp_path):
    for number in range(3):
        (tmp_path / f"00{number}").mkdir()
    (tmp_path / "001" / records.EVENT_LOG).write_text("something else")
    write_event_log(tmp_path / "002", 3)
    newest, damaged, oldest = newest_runs(tmp_path)
    assert newest_runs(tmp_path, 2) == [newest, damaged]
    assert (newest.standing, newest.done) == (answers.ENDED, 3)
    assert "is not an event log" in damaged.standing
    assert (oldest.standing, oldest.done) == (NO_LOG, None)
    assert newest_runs(tmp_path / "nothing") == []
