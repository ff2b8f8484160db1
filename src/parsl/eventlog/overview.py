"""Runs side by side: when each was, what became of its tasks, and how it ended. Large logs are skimmed."""

from __future__ import annotations

import os
from dataclasses import dataclass

from parsl.common.rundirs import numbered_rundirs
from parsl.eventlog import answers
from parsl.eventlog.file import EventLogError, EventReader, Outline
from parsl.eventlog.history import RunHistory, driver_lives, read_history
from parsl.eventlog.records import RunBegan, RunEnded, Summary
from parsl.vocabulary.task_states import FINAL_FAILURE_STATES, FINAL_STATES, States

NO_LOG = "no event log"
#: A log of a run that has not ended is read whole up to this size: then its counts are exact.
_SMALL_BYTES = 4 * 1024 * 1024
_FAILURES = frozenset(map(int, FINAL_FAILURE_STATES))
_ENDED = frozenset(map(int, FINAL_STATES))


@dataclass(frozen=True)
class RunOverview:
    """One run. What its event log does not contain is None.

    Attributes:
        run_dir: Its directory.
        standing: How it ended: a constant of :mod:`parsl.eventlog.answers`, "no event log", or why the log
            cannot be read.
        began_s, ended_s: Moments (seconds since the epoch). For a lost driver, the end is the last known one.
        workflow: The name of the workflow.
        host: Where the driver runs.
        done, failed, unfinished: Numbers of tasks.
    """

    run_dir: str
    standing: str
    began_s: float | None = None
    ended_s: float | None = None
    workflow: str | None = None
    host: str | None = None
    done: int | None = None
    failed: int | None = None
    unfinished: int | None = None

    @property
    def duration_s(self) -> float | None:
        """How long the run took (s); None while it is in progress."""
        if self.began_s is None or self.ended_s is None:
            return None
        return max(0.0, self.ended_s - self.began_s)


def newest_runs(base: str | os.PathLike[str], number: int | None = None) -> list[RunOverview]:
    """Return the runs in a directory (``Config.run_dir``), the newest first, ``number`` of them at most."""
    return [overview(run) for run in numbered_rundirs(base)[::-1][:number]]


def overview(run_dir: str) -> RunOverview:
    """Return one run."""
    try:
        with EventReader(run_dir) as reader:
            outline = reader.outline()
            size = os.path.getsize(reader.path)
    except EventLogError as error:
        is_missing = isinstance(error.__cause__, FileNotFoundError)
        return RunOverview(run_dir, NO_LOG if is_missing else str(error))
    run = outline.first if isinstance(outline.first, RunBegan) else None
    if isinstance(outline.last, RunEnded):
        states = {
            States[name]: number for name, number in outline.last.states.items() if name in States.__members__
        }
        return _described(run_dir, run, answers.ENDED, outline.last.time_s, _counts(states))
    history = RunHistory()
    if size <= _SMALL_BYTES:
        try:
            history = read_history(run_dir)
        except EventLogError as error:
            return RunOverview(run_dir, str(error))
    standing = answers.standing(history, driver_lives(run))
    ended_s = os.path.getmtime(reader.path) if standing == answers.LOST else None
    counts = _counts(history.state_counts()) if size <= _SMALL_BYTES else _totals(outline)
    return _described(run_dir, run, standing, ended_s, counts)


def _described(
    run_dir: str, run: RunBegan | None, standing: str, ended_s: float | None, counts: tuple[int, int, int]
) -> RunOverview:
    if run is None:
        return RunOverview(run_dir, standing, None, ended_s, None, None, *counts)
    return RunOverview(run_dir, standing, run.began_s, ended_s, run.workflow_name, run.host, *counts)


def _counts(states: dict[States, int]) -> tuple[int, int, int]:
    """Return how many tasks are done, failed, and unfinished."""
    ended = sum(number for state, number in states.items() if state in FINAL_STATES)
    failed = sum(number for state, number in states.items() if state in FINAL_FAILURE_STATES)
    return ended - failed, failed, sum(states.values()) - ended


def _totals(outline: Outline) -> tuple[int, int, int]:
    summary = outline.summary or Summary(0.0, 0, [], [])
    failed = sum(number for _, state, number in summary.ended if state in _FAILURES)
    ended = sum(number for _, state, number in summary.ended if state in _ENDED)
    return ended - failed, failed, max(0, summary.task_count - ended)
