"""What ran where, and when? Workers as rows, over a window of time."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from parsl.dashboard.binning import Window, mean_number, window_of
from parsl.dashboard.live import Known
from parsl.dashboard.task_table import Floats, Ints
from parsl.eventlog import answers
from parsl.eventlog.records import ManagerJoined

#: At most this many rows at once, and tasks one by one; more tasks are summed up in bins.
MAX_ROWS = 48
_MAX_TASKS = 2500
_BINS = 300
_WORKER_BITS = 16
_MANAGER_BITS = 24


class Part(NamedTuple):
    """Which part of the timeline is requested; None for the whole time. Moments are s since the epoch."""

    from_s: float | None = None
    to_s: float | None = None
    first_row: int = 0


def timeline(known: Known, part: Part) -> dict[str, Any]:
    """Return what ran on some workers within a window: tasks one by one if they are few, or busy shares."""
    table, until_s = known.table, known.until_s()
    has_started = ~np.isnan(table.started_s)
    all_keys = _worker_keys(known)
    keys = np.unique(all_keys[has_started])
    first = min(max(part.first_row, 0), max(0, len(keys) - 1))
    shown = keys[first : first + MAX_ROWS]
    window = _window(part, known.began_s(), until_s)
    ends_s = table.end_s(until_s)
    rows = np.searchsorted(keys, all_keys) - first
    is_shown = has_started & (rows >= 0) & (rows < len(shown))
    found = np.flatnonzero(is_shown & (table.started_s < window.to_s) & (ends_s > window.from_s))
    answer = {
        "rows": [_row_name(known, int(key)) for key in shown],
        "row_count": len(keys),
        "first_row": first,
        "began_s": known.began_s(),
        "until_s": until_s,
        "from_s": window.from_s,
        "to_s": window.to_s,
        "task_count": len(found),
        "apps": known.history.apps[:1000],
    }
    if len(found) <= _MAX_TASKS:
        return answer | {"tasks": _tasks(known, found, rows, ends_s)}
    return answer | {"busy": _busy(known, found, rows, len(shown), ends_s, window)}


def _window(part: Part, began_s: float, until_s: float) -> Window:
    from_s = began_s if part.from_s is None else part.from_s
    return window_of(from_s, until_s if part.to_s is None else part.to_s, _BINS)


def _worker_keys(known: Known) -> Ints:
    """Return a number for each task that stands for its executor, manager and worker, in this order."""
    table = known.table
    executor, manager = table.executor.astype(np.int64), table.manager.astype(np.int64) + 1
    worker = table.worker.astype(np.int64) + 1
    return (executor << (_MANAGER_BITS + _WORKER_BITS)) | (manager << _WORKER_BITS) | worker


def _row_name(known: Known, key: int) -> str:
    worker = (key & (2**_WORKER_BITS - 1)) - 1
    manager = (key >> _WORKER_BITS & (2**_MANAGER_BITS - 1)) - 1
    executor = key >> (_MANAGER_BITS + _WORKER_BITS)
    name = answers.executor_name(known.history, executor)
    view = known.history.managers.get((executor, manager))
    place = name if view is None else view.facts.host or view.facts.name
    if worker < 0:
        return f"{place}: workers not known"
    return f"{place}, worker {worker}{'' if view is None else _accelerator_of(view.facts, worker)}"


def _accelerator_of(facts: ManagerJoined, worker: int) -> str:
    """Return the accelerator of a worker, if each worker of its manager has one."""
    has_one_each = len(facts.accelerators) == facts.workers and worker < facts.workers
    return f", GPU {facts.accelerators[worker]}" if has_one_each else ""


def _tasks(known: Known, found: Ints, rows: Ints, ends_s: Floats) -> list[list[Any]]:
    """Return tasks as [number, row, start, end, app, whether it failed, whether it runs]."""
    table = known.table
    is_failed, is_final = table.is_failed, table.is_final
    return [
        [int(table.id[n]), int(rows[n]), round(float(table.started_s[n]), 6), round(float(ends_s[n]), 6),
         int(table.app[n]), bool(is_failed[n]), not is_final[n]]
        for n in found
    ]  # fmt: skip


def _busy(
    known: Known, found: Ints, rows: Ints, row_count: int, ends_s: Floats, window: Window
) -> list[list[int]]:
    """Return for each row the part of each bin in which its worker was busy, in percent."""
    busy = mean_number(known.table.started_s[found], ends_s[found], rows[found], row_count, window)
    percent: list[list[int]] = np.minimum(np.rint(busy * 100), 100).astype(np.int64).tolist()
    return percent
