"""The program of a task that an engine starts as a job."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from time import monotonic

import pytest

from parsl.executors.engines import call_file
from parsl.executors.engines.remote_call import CALLS_LIMIT_S, CallPacker, read_outcome


@pytest.mark.parametrize(("rank", "has_outcome"), [(None, True), ("0", True), ("1", False)])
@pytest.mark.parametrize("variable", call_file.RANK_VARIABLES)
def test_the_first_process_writes_the_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, rank: str | None, has_outcome: bool
) -> None:
    if rank is not None:
        monkeypatch.setenv(variable, rank)
    call, outcome = tmp_path / "call", tmp_path / "outcome"
    call.write_bytes(CallPacker().pack(abs, (-1,), {}))
    assert call_file.main([str(call), str(outcome)]) == 0
    assert [path.name for path in tmp_path.iterdir() if path != call] == ["outcome"] * has_outcome
    if has_outcome:
        assert read_outcome(outcome.read_bytes()).value == 1


def write_calls(directory: Path, *functions: Callable[[], object]) -> list[str]:
    """Write calls, and return the arguments of the program."""
    paths = []
    for number, function in enumerate(functions):
        call = directory / f"{number}.call"
        call.write_bytes(CallPacker().pack(function, (), {}))
        paths += [str(call), str(directory / f"{number}.outcome")]
    return paths


def take_long() -> None:
    end_s = monotonic() + CALLS_LIMIT_S
    while monotonic() < end_s:
        pass


@pytest.mark.parametrize(
    ("functions", "are_started"), [((dict, take_long, list), [1, 1, 0]), ((take_long, dict), [1, 0])]
)
def test_calls_run_one_after_another_until_they_have_taken_long(
    tmp_path: Path, functions: Sequence[Callable[[], object]], are_started: list[int]
) -> None:
    assert call_file.main(write_calls(tmp_path, *functions)) == 0
    outcomes = [(tmp_path / f"{number}.outcome").read_bytes() for number in range(len(functions))]
    assert [bool(outcome) for outcome in outcomes] == [bool(each) for each in are_started]
    assert all(read_outcome(outcome).error is None for outcome in outcomes if outcome)


def test_a_call_that_ends_the_process_leaves_the_outcomes_before_it(tmp_path: Path) -> None:
    paths = write_calls(tmp_path, dict, partial(os._exit, 3), list)
    done = subprocess.run([sys.executable, *call_file.ARGUMENTS, *paths], check=False)
    assert done.returncode == 3
    assert [(tmp_path / f"{number}.outcome").exists() for number in range(3)] == [True, False, False]
