from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from parsl.executors.blocks.error_handlers import MAX_FAILURES_IN_ROW
from parsl.executors.blocks.views import BlockHistory, BlockView
from parsl.executors.status_handling import BlockProviderExecutor
from parsl.jobs.error_handlers import noop_error_handler, simple_error_handler, windowed_error_handler
from parsl.jobs.errors import TooManyJobFailuresError
from parsl.jobs.states import JobState, JobStatus
from tests.jobs.simulator import Clock, Cluster

if TYPE_CHECKING:
    from pathlib import Path

LETTERS = {
    "C": JobState.COMPLETED,
    "F": JobState.FAILED,
    "M": JobState.MISSING,
    "P": JobState.PENDING,
    "R": JobState.RUNNING,
    "S": JobState.SCALED_IN,
    "T": JobState.TIMEOUT,
    "U": JobState.UNKNOWN,
    "X": JobState.CANCELLED,
}


class Judged:
    """The parts of an executor, and of its blocks, that error handlers use."""

    label = "judged"

    def __init__(self, init_blocks: int | None) -> None:
        self.provider = None if init_blocks is None else Cluster(Clock(), init_blocks=init_blocks)
        self.blocks = self
        self.exception: Exception | None = None
        self.failures_in_row = 0
        self.have_connected = False
        self.managers = 0

    def job_ids(self) -> dict[str, object]:
        return {"0": "17.pbs", "1": "18.pbs"}

    def history(self) -> BlockHistory:
        return BlockHistory(self.failures_in_row, 0.0, self.have_connected)

    def views(self) -> tuple[BlockView, ...]:
        return (BlockView("99", JobState.RUNNING, managers=self.managers),)

    def set_bad_state_and_fail_all(self, exception: Exception) -> None:
        self.exception = exception


def statuses(letters: str) -> dict[str, JobStatus]:
    return {str(number): JobStatus(LETTERS[letter]) for number, letter in enumerate(letters)}


def judge(handler: Any, letters: str, init_blocks: int | None = 1, **settings: int) -> Exception | None:
    judged = Judged(init_blocks)
    handler(cast(BlockProviderExecutor, judged), statuses(letters), **settings)
    return judged.exception


@pytest.mark.parametrize("letters", ["", "F", "FFFFFFFFFF", "MMM"])
def test_noop_never_gives_up(letters: str) -> None:
    assert judge(noop_error_handler, letters) is None


@pytest.mark.parametrize(
    ("init_blocks", "letters"),
    [(0, "F"), (1, "F"), (1, "M"), (1, "FFM"), (2, "FF"), (5, "FFFFFF"), (None, "FFF")],
)  # fmt: skip
def test_simple_gives_up_when_all_the_first_blocks_failed(init_blocks: int | None, letters: str) -> None:
    assert isinstance(judge(simple_error_handler, letters, init_blocks), TooManyJobFailuresError)


@pytest.mark.parametrize(
    ("init_blocks", "letters"),
    [(0, ""), (1, ""), (2, "F"), (5, "FFFF"), (None, "FF")]
    + [(1, f"FFF{letter}") for letter in "CPRSTUX"]
    + [(1, f"{letter}FFF") for letter in "CPRSTUX"],
)
def test_simple_continues_while_any_block_has_not_failed(init_blocks: int | None, letters: str) -> None:
    assert judge(simple_error_handler, letters, init_blocks) is None


@pytest.mark.parametrize(("managers", "stops"), [(0, True), (3, False)])
def test_simple_gives_up_when_too_many_in_a_row_ended_early_and_none_works(
    managers: int, stops: bool
) -> None:
    judged = Judged(1)
    judged.failures_in_row, judged.managers = MAX_FAILURES_IN_ROW, managers
    simple_error_handler(cast(BlockProviderExecutor, judged), statuses("CSFFTFFFFF"))
    assert (judged.exception is not None) == stops
    assert not stops or str(judged.exception).startswith("8 blocks failed")


@pytest.mark.parametrize(("failures_in_row", "stops"), [(0, False), (2, False), (3, True)])
def test_simple_continues_when_the_only_blocks_worked_before_they_failed(
    failures_in_row: int, stops: bool
) -> None:
    """For example, the node of the first block is lost."""
    judged = Judged(1)
    judged.failures_in_row, judged.have_connected = failures_in_row, True
    simple_error_handler(cast(BlockProviderExecutor, judged), statuses("FFF"))
    assert (judged.exception is not None) == stops


@pytest.mark.parametrize(
    ("failures_in_row", "has_output", "stops"), [(1, False, False), (3, False, True), (1, True, True)]
)
def test_simple_continues_when_the_scheduler_has_lost_a_job_that_had_not_begun(
    failures_in_row: int, has_output: bool, stops: bool, tmp_path: Path
) -> None:
    stdout = tmp_path / "stdout"
    if has_output:
        stdout.write_text("")
    judged = Judged(1)
    judged.failures_in_row = failures_in_row
    vanished = JobStatus(JobState.MISSING, stdout_path=str(stdout))
    simple_error_handler(cast(BlockProviderExecutor, judged), {"0": vanished})
    assert (judged.exception is not None) == stops


@pytest.mark.parametrize("letters", ["FFF", "CFFF", "RRRRMFM", "SSFFF"])
def test_windowed_gives_up_when_the_newest_blocks_failed(letters: str) -> None:
    assert isinstance(judge(windowed_error_handler, letters), TooManyJobFailuresError)


@pytest.mark.parametrize("letters", ["", "F", "FF", "FFFC", "FFSF", "FFT", "FFFFFFR"])
def test_windowed_continues_otherwise(letters: str) -> None:
    assert judge(windowed_error_handler, letters) is None


def test_the_window_size_is_configurable() -> None:
    assert judge(windowed_error_handler, "CFF", threshold=2) is not None
    assert judge(windowed_error_handler, "CFFF", threshold=4) is None


def test_the_error_describes_each_failed_block(tmp_path: Path) -> None:
    (tmp_path / "stdout").write_text("starting\nmanagers\n")
    (tmp_path / "stderr").write_text("bash: launchme: command not found\n")
    failed = JobStatus(JobState.FAILED, "it failed", 127, str(tmp_path / "stdout"), str(tmp_path / "stderr"))
    refused = JobStatus(JobState.FAILED, "qsub: no such queue")
    judged = Judged(init_blocks=1)
    simple_error_handler(cast(BlockProviderExecutor, judged), {"0": failed, "5": refused})
    assert str(judged.exception).splitlines() == [
        "2 blocks failed, so no more are started.",
        "Block 0 (job 17.pbs): FAILED",
        "\tit failed",
        "\tEXIT CODE: 127",
        "\tSTDOUT: starting",
        "\tmanagers",
        "\tSTDERR: bash: launchme: command not found",
        "Block 5 (never submitted): FAILED",
        "\tqsub: no such queue",
    ]


def test_only_the_last_of_many_failed_blocks_are_described() -> None:
    text = str(judge(windowed_error_handler, "F" * 500, threshold=500))
    assert text.startswith("500 blocks failed, so no more are started.\nThe last 10 of them:\nBlock 490 ")
    assert text.count("Block ") == 10
