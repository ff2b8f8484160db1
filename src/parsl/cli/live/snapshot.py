"""What ``parsl top`` shows of a run at one moment, as data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from time import time
from typing import Any

from parsl.eventlog import answers
from parsl.eventlog.failure_groups import FailureGroup
from parsl.eventlog.watch import RunWatch


@dataclass(frozen=True)
class Snapshot:
    """A run at one moment.

    Attributes:
        run_dir: The directory of the run.
        workflow, host: Empty until the first record has been read.
        standing: A constant of :mod:`parsl.eventlog.answers`.
        now_s: The moment (seconds since the epoch).
        share_read: Which part of the log has been read, from 0 to 1.
        reasons: Why tasks wait, or why nothing runs.
        notes: What is missing in the log.
    """

    run_dir: str
    workflow: str
    host: str
    standing: str
    now_s: float
    share_read: float
    progress: answers.Progress
    apps: list[answers.AppAnswer]
    blocks: list[answers.BlockAnswer]
    nodes: list[answers.NodeAnswer]
    failures: list[FailureGroup]
    reasons: list[str]
    notes: list[str]

    @property
    def is_live(self) -> bool:
        """Whether the run may still be in progress."""
        return self.standing in (answers.RUNNING, answers.ELSEWHERE)


def snapshot(watch: RunWatch, run_dir: str) -> Snapshot:
    """Return a run at this moment."""
    history, tally, run = watch.history, watch.tally, watch.history.run
    now_s = watch.now_s()
    progress, apps = answers.progress(history, tally, now_s), answers.apps(history, tally)
    reasons = [] if now_s is None else answers.why_waiting(history, tally, now_s)
    if not watch.is_read and history.summary is not None:  # a long log: its totals are there at once
        counts, apps = answers.totals(history.summary)
        progress, reasons = progress._replace(counts=counts), []
    return Snapshot(
        run_dir=run_dir,
        workflow="" if run is None else run.workflow_name,
        host="" if run is None else run.host,
        standing=watch.standing(),
        now_s=time() if now_s is None else now_s,
        share_read=watch.share_read,
        progress=progress,
        apps=apps,
        blocks=answers.blocks(history),
        nodes=answers.nodes(history, tally),
        failures=watch.failures.largest_first(),
        reasons=reasons,
        notes=watch.problems(),
    )


def as_data(seen: Snapshot) -> dict[str, Any]:
    """Return a snapshot for JSON. Moments are seconds since the epoch, durations seconds, sizes bytes."""
    progress = seen.progress
    return {
        "run_dir": seen.run_dir,
        "workflow": seen.workflow,
        "host": seen.host,
        "standing": seen.standing,
        "now_s": seen.now_s,
        "elapsed_s": progress.elapsed_s,
        "tasks": progress.counts._asdict(),
        "tasks_per_s": progress.rate,
        "busy_workers": progress.busy_workers,
        "remaining_s": progress.estimate.remaining_s,
        "estimate": progress.estimate.basis,
        "apps": [{**app._asdict(), "counts": app.counts._asdict()} for app in seen.apps],
        "blocks": [asdict(block) for block in seen.blocks],
        "nodes": [asdict(node) for node in seen.nodes],
        "failures": [_failure_data(group, seen.apps) for group in seen.failures],
        "why_waiting": seen.reasons,
        "notes": seen.notes,
    }


def _failure_data(group: FailureGroup, apps: list[answers.AppAnswer]) -> dict[str, Any]:
    return {
        "error": group.error,
        "pattern": group.pattern,
        "message": group.example.message,
        "attempts": group.attempts,
        "tried_again": group.tried_again,
        "failed": group.failed,
        "followers": group.followers,
        "apps": {apps[app].name: number for app, number in group.apps.items() if app < len(apps)},
        "hosts": dict(group.hosts),
        "tasks": group.tasks,
        "first_s": group.first_s,
        "last_s": group.last_s,
    }
