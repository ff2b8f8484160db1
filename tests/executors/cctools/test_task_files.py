"""Which files of a call travel, and what the function on the worker sees of them."""

from __future__ import annotations

import os
from pathlib import Path

from parsl import File
from parsl.executors.cctools.task_files import TaskFiles, Transfer


def test_files_become_names_in_the_directory_of_the_task(tmp_path: Path) -> None:
    here, there = tmp_path / "a.txt", tmp_path / "b.txt"
    files = TaskFiles()
    args, kwargs = files.replace((File(str(here)), 1), {"outputs": [File(str(there))], "x": 2})
    assert args[0].filepath == "./a.txt"
    assert args[1] == 1
    assert os.path.dirname(kwargs["outputs"][0].filepath) == "."
    assert kwargs["x"] == 2
    assert files.inputs == [Transfer(str(here), "a.txt")]
    assert files.outputs == [Transfer(str(there), "b.txt")]


def test_two_files_of_one_name_stay_apart(tmp_path: Path) -> None:
    first, second = tmp_path / "1" / "data", tmp_path / "2" / "data"
    files = TaskFiles()
    _, kwargs = files.replace((), {"inputs": [File(str(first)), File(str(second))]})
    assert [file.filepath for file in kwargs["inputs"]] == ["./data", "./1-data"]


def test_no_two_files_get_one_name(tmp_path: Path) -> None:
    paths = ["a/data", "x/2-data", "b/data", "c/parsl_call"]
    _, kwargs = TaskFiles().replace((), {"inputs": [File(str(tmp_path / path)) for path in paths]})
    names = [os.path.basename(file.filepath) for file in kwargs["inputs"]]
    assert names == ["data", "2-data", "3-data", "3-parsl_call"]


def test_a_file_that_is_input_and_output_travels_both_ways_under_one_name(tmp_path: Path) -> None:
    file = File(str(tmp_path / "data"))
    files = TaskFiles()
    args, kwargs = files.replace((file,), {"outputs": [file]})
    assert args[0].filepath == kwargs["outputs"][0].filepath == "./data"
    assert files.inputs == files.outputs == [Transfer(str(tmp_path / "data"), "data")]


def test_streams_are_fetched_and_sent_if_the_command_appends(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before")
    files = TaskFiles()
    _, kwargs = files.replace((), {"stdout": (str(log), "w"), "stderr": str(log), "other": str(log)})
    assert kwargs == {"stdout": ("log", "w"), "stderr": "log", "other": str(log)}
    assert files.outputs == files.inputs == [Transfer(str(log), "log")]


def test_files_that_are_staged_on_the_worker_stay_as_they_are() -> None:
    file = File("http://somewhere/data")
    file.local_path = "/scratch/data"
    files = TaskFiles()
    args, kwargs = files.replace((file,), {"outputs": [file], "stdout": None})
    assert args[0] is file
    assert kwargs == {"outputs": [file], "stdout": None}
    assert not files.inputs
    assert not files.outputs
