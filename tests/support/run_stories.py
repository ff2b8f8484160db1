"""Event logs of runs that a person would look at: an ensemble on a supercomputer, with its troubles."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from heapq import heappop, heappush
from pathlib import Path
from random import Random

from parsl.common.processes import started_at
from parsl.eventlog import records
from parsl.eventlog.file import EventFile
from parsl.vocabulary.task_states import States
from tests.support.event_logs import run_began

NODES = 4
WORKERS = 12
APPS = ["prepare", "simulate", "analyze", "summarize"]
#: How long the tasks of each app run, about (s), and their largest memory (bytes).
_RUN_S = [2.0, 95.0, 14.0, 6.0]
_MEMORY = [4e8, 2.1e10, 3e9, 8e8]
_MEMBERS_PER_GROUP = 12
_FAILING_HOST = "x4102c3s1b0n0"
_TRACEBACK = """\
Traceback (most recent call last):
  File "/home/ada/ensemble/model.py", line 88, in simulate
    state = step(state, dt)
  File "/home/ada/ensemble/model.py", line 41, in step
    field = numpy.empty(shape)
MemoryError: Unable to allocate 24.0 GiB for an array with shape (1024, 1024, 3072)
"""


def hosts() -> list[str]:
    return [f"x410{number % 4}c{number}s{number % 2}b0n0" for number in range(NODES - 1)] + [_FAILING_HOST]


class Ensemble:
    """A run of some hundred tasks: members are prepared, simulated and analyzed; groups are summarized.

    Args:
        members: How many.
        began_s: When the run began (seconds since the epoch).
        seed: Of the run times.
    """

    def __init__(self, members: int, began_s: float, seed: int = 1) -> None:
        self.began_s = began_s
        self._random = Random(seed)
        self._calls = _calls(members)
        self._rows: dict[int, records.TaskRow] = {}
        self.failures: list[records.AttemptFailed] = []
        self._roots: dict[int, int] = {}
        self._schedule()
        self.rows = [self._rows[number] for number in range(len(self._calls))]

    def _schedule(self) -> None:
        """Run the tasks in the order in which they become ready, each on the next free worker."""
        free = [(self.began_s + 65.0, n % NODES, n // NODES) for n in range(NODES * WORKERS)]
        missing = {number: len(depends) for number, (_, depends) in enumerate(self._calls)}
        after: dict[int, list[int]] = {}
        for number, (_, depends) in enumerate(self._calls):
            for other in depends:
                after.setdefault(other, []).append(number)
        ready = [(self._invoked_s(number), number) for number, count in missing.items() if not count]
        while ready:
            ready_s, number = heappop(ready)
            row = self._rows[number] = self._run(number, ready_s, free)
            for other in after.get(number, ()):
                missing[other] -= 1
                if not missing[other]:
                    end_s = max(self._rows[n].returned_s or 0.0 for n in self._calls[other][1])
                    heappush(ready, (max(end_s, row.returned_s or 0.0), other))

    def _invoked_s(self, number: int) -> float:
        return self.began_s + 0.2 + number * 0.002

    def _run(self, number: int, ready_s: float, free: list[tuple[float, int, int]]) -> records.TaskRow:
        app, depends = self._calls[number]
        invoked_s, launched_s = self._invoked_s(number), ready_s + 0.001
        cause = next((n for n in depends if self._rows[n].state != States.exec_done), None)
        if cause is not None:
            return self._never_run(number, app, depends, cause, ready_s)
        free_s, manager, worker = heappop(free)
        run_s = _RUN_S[app] * self._random.lognormvariate(0.0, 0.18)
        fails = app == 1 and number % 27 == 13
        if app == 1 and self._random.random() < 0.02:
            run_s *= 4.5
        run_s *= 0.4 if fails else 1.0
        started_s = max(free_s, launched_s)
        heappush(free, (started_s + run_s, manager, worker))
        row = records.TaskRow(
            number, app, 0, int(States.failed if fails else States.exec_done), int(fails), invoked_s,
            launched_s, depends, started_s + run_s, run_s, run_s * (0.93 if app == 1 else 0.6),
            int(_MEMORY[app] * self._random.uniform(0.8, 1.1)), manager, worker,
        )  # fmt: skip
        if fails:
            self._fail(row, started_s)
        return row

    def _never_run(
        self, number: int, app: int, depends: tuple[int, ...], cause: int, end_s: float
    ) -> records.TaskRow:
        root = self._roots[number] = self._roots.get(cause, cause)
        self.failures.append(records.AttemptFailed(
            number, 0, 0, end_s, "dependency failed", "parsl.dataflow.errors.DependencyError",
            f"Task {number} ({APPS[app]}): dependency task {cause} has failed", root_task=root,
        ))  # fmt: skip
        state = int(States.dep_fail)
        return records.TaskRow(number, app, 0, state, 0, self._invoked_s(number), None, depends, end_s)

    def _fail(self, row: records.TaskRow, started_s: float) -> None:
        assert row.returned_s is not None
        size = 20 + row.id % 7
        message = f"Unable to allocate {size}.0 GiB for an array with shape (1024, 1024, {128 * size})"
        for attempt, outcome in enumerate(("tried again", "failed")):
            time_s = started_s if attempt == 0 else row.returned_s
            self.failures.append(records.AttemptFailed(
                row.id, attempt, 0, time_s, outcome, "builtins.MemoryError", message,
                row.launched_s, row.run_s, row.manager, row.worker, hosts()[row.manager],
            ))  # fmt: skip

    @property
    def last_s(self) -> float:
        return max(row.returned_s or 0.0 for row in self.rows)

    def until(self, now_s: float) -> Iterator[records.Record]:
        """Yield the records of what has happened until a moment."""
        yield from self._places(now_s)
        rows, started = [], []
        for row in self.rows:
            rows.append(_as_of(row, now_s))
            if rows[-1].state == States.launched and (begin_s := _start_of(row)) <= now_s:
                started.append(records.TaskStarted(row.id, 0, begin_s, row.manager, row.worker))
        yield records.Tasks(rows)
        yield records.TasksStarted(started)
        for failure in sorted(self.failures, key=lambda failure: failure.time_s):
            if failure.time_s <= now_s:
                yield failure
        ended: dict[tuple[int, int], int] = {}
        for row in rows:
            if row.returned_s is not None:
                ended[row.app, row.state] = ended.get((row.app, row.state), 0) + 1
        yield records.Summary(now_s, len(rows), [(*key, n) for key, n in ended.items()], APPS)

    def _places(self, now_s: float) -> Iterator[records.Record]:
        begin = self.began_s
        yield records.Executors([records.ExecutorFacts("aurora", "HighThroughputExecutor", "PBSProProvider")])
        yield records.Apps(APPS)
        changes: list[records.Record] = [
            records.BlockChanged(0, begin + 1, "0", "812443.aurora-pbs", "PENDING",
                                 "Not Running: Not enough free nodes"),
            records.BlockChanged(0, begin + 2, "1", "812444.aurora-pbs", "PENDING",
                                 "Not Running: would exceed the limit of the queue on nodes in use by ada"),
            records.BlockChanged(0, begin + 60, "0", "812443.aurora-pbs", "RUNNING"),
            *(records.ManagerJoined(
                0, number, begin + 64 + number / 10, f"manager-{number}", "0", host, 4000 + number,
                WORKERS, 104, 2**40, "3.11.7", [f"{gpu}.{tile}" for gpu in range(6) for tile in range(2)],
            ) for number, host in enumerate(hosts())),
            records.NodeChanged(0, begin + 150, _FAILING_HOST,
                                "set aside for 60 s: 3 workers were lost in a row (exit code -9)"),
        ]  # fmt: skip
        yield from (change for change in changes if change.time_s <= now_s)  # type: ignore[union-attr]


def _calls(members: int) -> list[tuple[int, tuple[int, ...]]]:
    """Return the tasks: their apps, and the tasks that they depend on."""
    calls: list[tuple[int, tuple[int, ...]]] = []
    for _ in range(members):
        first = len(calls)
        calls += [(0, ()), (1, (first,)), (2, (first + 1,))]
    analyses = [number for number, (app, _) in enumerate(calls) if app == 2]
    for first in range(0, members, _MEMBERS_PER_GROUP):
        calls.append((3, tuple(analyses[first : first + _MEMBERS_PER_GROUP])))
    return calls


def _start_of(row: records.TaskRow) -> float:
    return float("inf") if row.returned_s is None or row.run_s < 0 else row.returned_s - row.run_s


def _as_of(row: records.TaskRow, now_s: float) -> records.TaskRow:
    """Return what was known of a task at a moment."""
    if row.returned_s is not None and row.returned_s <= now_s:
        return row
    is_launched = row.launched_s is not None and row.launched_s <= now_s
    state = States.launched if is_launched else States.pending
    return records.TaskRow(
        row.id, row.app, 0, int(state), 0, row.invoked_s, row.launched_s if is_launched else None, row.depends
    )


def write_story(
    directory: Path, ensemble: Ensemble, now_s: float, *, is_live: bool, has_ended: bool
) -> EventFile:
    """Write the log of an ensemble as of a moment, with failures.jsonl; return the file, which is open.

    Args:
        directory: The run directory.
        ensemble: The run.
        now_s: The moment.
        is_live: Whether this process counts as the driver.
        has_ended: Whether the log has an end.
    """
    directory.mkdir(parents=True, exist_ok=True)
    file = EventFile(str(directory / records.EVENT_LOG))
    driver = {"pid": os.getpid(), "process_started": started_at(os.getpid())} if is_live else {}
    began = run_began(str(directory), workflow_name="ensemble.py", began_s=ensemble.began_s, **driver)
    file.write(began)
    for record in ensemble.until(now_s):
        file.write(record)
    if has_ended:
        for number in range(NODES):
            file.write(records.ManagerGone(0, number, now_s, "its block was cancelled"))
        for block in ("0", "1"):
            file.write(
                records.BlockChanged(0, now_s, block, f"81244{3 + int(block)}.aurora-pbs", "SCALED_IN")
            )
        states: dict[str, int] = {}
        for row in ensemble.rows:
            name = States(row.state).name
            states[name] = states.get(name, 0) + 1
        file.write(records.RunEnded(now_s, len(ensemble.rows), states))
    lines = [_line(failure, APPS[ensemble.rows[failure.task].app]) for failure in ensemble.failures]
    (directory / "failures.jsonl").write_text("".join(lines))
    return file


def _line(failure: records.AttemptFailed, app: str) -> str:
    line = {
        "time": failure.time_s, "task_id": failure.task, "app": app, "attempt": failure.attempt + 1,
        "outcome": failure.outcome, "executor": "aurora", "retries": 1, "error": failure.error,
        "message": failure.message, "host": failure.host, "worker": failure.worker,
    }  # fmt: skip
    if failure.outcome != "dependency failed":
        tail = "model: step 1180 of 4000\nmodel: field energy is growing quickly"
        line |= {
            "traceback": _TRACEBACK,
            "stderr_tail": tail,
            "ran_s": failure.run_s,
            "peak_memory": 23_500_000_000,
        }
    return json.dumps(line) + "\n"
