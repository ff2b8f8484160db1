"""``parsl runs``."""

from __future__ import annotations

import json

import pytest

from parsl.cli.main import main
from tests.support.event_logs import write_event_log


@pytest.fixture
def runs(tmp_path, capsys, monkeypatch):
    """Run the command in a directory with three runs; return its exit code and output."""
    monkeypatch.chdir(tmp_path)
    write_event_log(tmp_path / "runinfo" / "000", 1200, fail_every=100)
    write_event_log(tmp_path / "runinfo" / "001", 10, waiting=2, is_over=False)
    (tmp_path / "runinfo" / "002").mkdir()

    def run(*words):
        code = main(["runs", *words])
        printed = capsys.readouterr()
        assert not (printed.out and printed.err) or "--json" in words
        return code, printed.out or printed.err

    return run


def test_runs_are_listed_the_newest_first(runs):
    code, printed = runs()
    assert code == 0
    heading, newest, lost, oldest = printed.splitlines()
    assert heading.split() == ["run", "began", "took", "done", "failed", "unfinished", "ended", "workflow"]
    assert newest.split() == ["002", "no", "event", "log"]
    assert "driver lost" in lost
    assert oldest.split()[-7:] == ["s", "1,188", "12", "0", "with", "failures", "train.py"]
    assert "\x1b" not in printed


def test_runs_are_available_as_json(runs):
    code, printed = runs("--json", "-n", "2")
    assert code == 0
    newest, lost = json.loads(printed)
    assert newest["standing"] == "no event log"
    assert (lost["done"], lost["failed"], lost["unfinished"]) == (10, 0, 2)


def test_a_directory_without_runs_is_an_error(runs, tmp_path):
    assert "has no runs" in runs(str(tmp_path))[1]
    code, printed = runs("elsewhere")
    assert code == 2
    assert f"{tmp_path}/elsewhere is not a directory" in printed
    assert "parsl runs DIRECTORY" in printed


def test_a_directory_that_cannot_be_read_is_an_error_that_names_the_reason(runs):
    code, printed = runs("x" * 1000)
    assert code == 2
    assert "cannot be read: File name too long" in printed


def test_a_log_that_cannot_be_read_does_not_disturb_the_table(tmp_path, capsys):
    write_event_log(tmp_path / "000", 3)
    (tmp_path / "001").mkdir()
    (tmp_path / "001" / "events.parsl").write_text("garbage\n")
    assert main(["runs", str(tmp_path)]) == 0
    printed = capsys.readouterr()
    heading, damaged, whole = printed.out.splitlines()
    assert heading.split()[-3:] == ["unfinished", "ended", "workflow"]
    assert damaged.split() == ["001", "log", "unreadable"]
    assert whole.split()[-2:] == ["ended", "train.py"]
    assert "is not an event log" in printed.err


def test_the_directory_is_also_named_as_for_other_commands(runs):
    assert runs("--run-dir", "runinfo") == runs("runinfo")


def test_a_number_of_runs_is_at_least_one(runs, capsys):
    with pytest.raises(SystemExit):
        runs("-n", "0")
    assert "'0' is not a number of runs" in capsys.readouterr().err
