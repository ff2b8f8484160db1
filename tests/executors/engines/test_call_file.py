"""The program of a task that an engine starts as a job."""

from __future__ import annotations

from pathlib import Path

import pytest

from parsl.executors.engines import call_file
from parsl.executors.engines.remote_call import CallPacker, read_outcome


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
