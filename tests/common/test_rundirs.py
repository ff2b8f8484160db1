"""Run directories are numbered, and each driver gets its own, even if several start together."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from parsl.common.rundirs import (
    for_the_user,
    get_all_checkpoints,
    get_last_checkpoint,
    make_directory,
    make_rundir,
    numbered_rundirs,
)

_RACER = """
import sys
from parsl.common.rundirs import make_rundir
print("ready", flush=True)
sys.stdin.readline()
print(make_rundir(sys.argv[1]))
"""


def test_numbers_go_up_from_000(tmp_path):
    base = tmp_path / "runs" / "runinfo"
    assert [os.path.basename(make_rundir(base)) for _ in range(3)] == ["000", "001", "002"]


def test_path_is_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert make_rundir("runinfo") == str(tmp_path / "runinfo" / "000")


def test_the_highest_number_counts_not_the_number_of_runs(tmp_path):
    for name in ("000", "007", "notes", "12", "008x"):
        (tmp_path / name).mkdir()
    assert os.path.basename(make_rundir(tmp_path)) == "008"


def test_1000_follows_999(tmp_path):
    (tmp_path / "999").mkdir()
    assert [os.path.basename(make_rundir(tmp_path)) for _ in range(2)] == ["1000", "1001"]
    assert [os.path.basename(path) for path in numbered_rundirs(tmp_path)] == ["999", "1000", "1001"]


def test_thousands_of_runs_do_not_slow_it_down(tmp_path):
    for number in range(5000):
        (tmp_path / f"{number:03d}").mkdir()
    started_s = time.perf_counter()
    make_rundir(tmp_path)
    assert time.perf_counter() - started_s < 10


def test_other_users_cannot_write_to_it(tmp_path):
    umask = os.umask(0)
    try:
        made = Path(make_rundir(tmp_path / "above" / "runs"))
        with open(made / "log", "a", opener=for_the_user) as file:
            file.write("x")
    finally:
        os.umask(umask)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (made.parents[1], made.parent, made, made / "log")]
    assert modes == [0o755, 0o755, 0o755, 0o644]


def test_an_existing_directory_is_left_unchanged(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o770)
    make_directory(shared)
    make_rundir(shared)
    assert stat.S_IMODE(shared.stat().st_mode) == 0o770
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        make_directory(tmp_path / "file" / "below")
    with pytest.raises(FileExistsError):
        make_directory(tmp_path / "file")


def test_a_file_in_the_way_is_an_error_that_names_it(tmp_path):
    (tmp_path / "runinfo").write_text("")
    with pytest.raises(OSError, match="runinfo"):
        make_rundir(tmp_path / "runinfo")


def test_a_missing_directory_has_no_runs(tmp_path):
    assert numbered_rundirs(tmp_path / "none") == []


def test_50_drivers_starting_together_each_get_their_own(tmp_path):
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", _RACER, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for _ in range(50)
    ]
    try:
        for racer in racers:
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            racer.stdin.write("go\n")
            racer.stdin.flush()
        made = [racer.communicate(timeout=60)[0].strip() for racer in racers]
    finally:
        for racer in racers:
            racer.kill()
            racer.wait()
    assert sorted(made) == [str(tmp_path / f"{number:03d}") for number in range(50)]


def test_checkpoints_are_listed_by_number(tmp_path):
    for run in ("000", "002", "999", "1000"):
        (tmp_path / run / "checkpoint").mkdir(parents=True)
        (tmp_path / run / "checkpoint" / "tasks.pkl").touch()
    (tmp_path / "001").mkdir()
    (tmp_path / "1001" / "checkpoint").mkdir(parents=True)  # killed just then
    (tmp_path / "junk" / "checkpoint").mkdir(parents=True)
    expected = [str(tmp_path / run / "checkpoint") for run in ("000", "002", "999", "1000")]
    assert get_all_checkpoints(str(tmp_path)) == expected
    assert get_last_checkpoint(str(tmp_path)) == expected[-1:]


def test_the_last_checkpoint_is_one_with_results(tmp_path):
    for run in ("000", "001", "002"):
        (tmp_path / run / "checkpoint").mkdir(parents=True)
        (tmp_path / run / "checkpoint" / "tasks.pkl").touch()
    (tmp_path / "001" / "checkpoint" / "tasks.pkl").write_bytes(b"result")
    assert get_last_checkpoint(str(tmp_path)) == [str(tmp_path / "001" / "checkpoint")]


def test_no_checkpoints(tmp_path):
    assert get_all_checkpoints(str(tmp_path / "none")) == []
    assert get_last_checkpoint(str(tmp_path / "none")) == []
