"""The runs of a directory."""

from __future__ import annotations

import shutil

import pytest

from parsl.dashboard import moving
from parsl.dashboard.live import LiveRun
from parsl.dashboard.runs import Runs
from parsl.eventlog.file import EventLogError
from tests.support.event_logs import write_event_log
from tests.support.waiting import wait_until


@pytest.fixture
def runs(tmp_path):
    runs = Runs(str(tmp_path))
    yield runs
    runs.close()


def count_when_read(run: LiveRun) -> int:
    def is_read():
        return run.answer("overview", moving.overview, 0.001)["is_read"]

    wait_until(is_read, what="the log to be read")
    return sum(run.answer("overview", moving.overview)["counts"].values())


def test_runs_are_found_by_name_the_newest_first(tmp_path, runs):
    for name in ("000", "001", "010"):
        write_event_log(tmp_path / name, 3)
    (tmp_path / "plots").mkdir()
    assert runs.names() == ["010", "001", "000"]
    with pytest.raises(KeyError):
        runs.directory("plots")


def test_the_directory_of_a_run_is_a_single_run(tmp_path):
    write_event_log(tmp_path / "007", 3)
    runs = Runs(str(tmp_path / "007"))
    assert (runs.single, runs.names()) == ("007", ["007"])
    assert runs.directory("007") == str(tmp_path / "007")


def test_a_run_is_kept_between_requests(tmp_path, runs):
    write_event_log(tmp_path / "000", 3)
    assert runs.live("000") is runs.live("000")


def test_a_run_in_the_place_of_a_deleted_one_is_shown_instead(tmp_path, runs):
    write_event_log(tmp_path / "000", 3)
    first = runs.live("000")
    assert count_when_read(first) == 3
    write_event_log(tmp_path / "new", 5)
    shutil.rmtree(tmp_path / "000")
    (tmp_path / "new").rename(tmp_path / "000")
    assert runs.live("000") is not first
    assert count_when_read(runs.live("000")) == 5


def test_what_is_no_event_log_is_an_error_each_time(tmp_path, runs):
    (tmp_path / "000").mkdir()
    (tmp_path / "000" / "events.parsl").write_text("something else\n")
    for _ in range(2):
        with pytest.raises(EventLogError, match="is not an event log"):
            runs.live("000")
    listed, count = runs.listed()
    assert count == 1
    assert "is not an event log" in listed[0].standing
