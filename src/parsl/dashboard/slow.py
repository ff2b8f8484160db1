"""What is slow? How long tasks wait and run by app, and the tasks that take much longer than others."""

from __future__ import annotations

from typing import Any

import numpy as np

from parsl.dashboard.live import Known
from parsl.dashboard.task_table import Bools, Floats, TaskTable

#: At most this many apps and tasks are shown.
_MAX_APPS = 100
_MAX_TASKS = 20
#: A straggler runs this many times as long as the median of its app, and at least this long (s).
_STRAGGLER_FACTOR = 3.0
_MIN_STRAGGLER_S = 1.0
#: Run times are counted in this many classes of equal width on a logarithmic scale.
_CLASSES = 40
_QUANTILES = (0.05, 0.5, 0.95, 1.0)


def slow(known: Known) -> dict[str, Any]:
    """Return quantiles by app, and stragglers: those that run, and those that have ended."""
    table, until_s = known.table, known.until_s()
    run_s = table.end_s(until_s) - table.started_s
    apps = _largest_apps(table)
    medians = np.full(len(known.history.counts) + 1, np.nan)
    rows = []
    for app in apps:
        own = table.app == app
        row = _row(table, own & table.is_final, run_s)
        medians[app] = np.nan if row["run"] is None else row["run"][1]
        rows.append({"name": known.history.app_name(app), "ended": int((own & table.is_final).sum()), **row})
    ratio = run_s / medians[np.minimum(table.app, len(medians) - 1)]
    return {
        "apps": rows,
        "running": _tasks(known, ~table.is_final, run_s, ratio),
        "ended": _tasks(known, table.is_final & ~table.is_failed, run_s, ratio),
    }


def _largest_apps(table: TaskTable) -> list[int]:
    counts = np.bincount(table.app) if len(table) else np.zeros(0, np.int64)
    order = np.argsort(-counts, kind="stable")[:_MAX_APPS]
    return [int(app) for app in order if counts[app]]


def _row(table: TaskTable, ended: Bools, run_s: Floats) -> dict[str, Any]:
    run = _quantiles(run_s[ended])
    return {
        "depends": _quantiles(table.launched_s[ended] - table.invoked_s[ended]),
        "queued": _quantiles(table.started_s[ended] - table.launched_s[ended]),
        "run": run,
        # Some executors do not report when tasks start: threads of the driver, for example.
        "at_most": _quantiles(table.returned_s[ended] - table.launched_s[ended]) if run is None else None,
        "cpu": _share(table.cpu_s[ended], run_s[ended]),
        "peak_memory": int(table.peak_memory[ended].max(initial=0)),
        "shape": _shape(run_s[ended]),
    }


def _quantiles(values: Floats) -> list[float] | None:
    """Return the 5 %, 50 %, 95 % and 100 % quantiles of what is known; None if nothing is."""
    values = values[~np.isnan(values)]
    return [float(value) for value in np.quantile(values, _QUANTILES)] if len(values) else None


def _share(cpu_s: Floats, run_s: Floats) -> float | None:
    """Return the processor time per run time."""
    both = ~np.isnan(cpu_s) & ~np.isnan(run_s)
    total_s = float(run_s[both].sum())
    return float(cpu_s[both].sum()) / total_s if total_s > 0 else None


def _shape(run_s: Floats) -> dict[str, Any] | None:
    """Return how many tasks ran for how long, in classes."""
    run_s = np.maximum(run_s[~np.isnan(run_s)], 1e-6)
    if not len(run_s):
        return None
    logs = np.log10(run_s)
    low, high = float(logs.min()), float(logs.max())
    counts, _ = np.histogram(logs, bins=_CLASSES, range=(low, max(high, low + 0.05)))
    return {"from_s": 10**low, "to_s": 10 ** max(high, low + 0.05), "counts": counts.tolist()}


def _tasks(known: Known, which: Bools, run_s: Floats, ratio: Floats) -> list[dict[str, Any]]:
    """Return the stragglers among some tasks, the worst first."""
    with np.errstate(invalid="ignore"):
        found = np.flatnonzero(which & (ratio >= _STRAGGLER_FACTOR) & (run_s >= _MIN_STRAGGLER_S))
    worst = found[np.argsort(-run_s[found], kind="stable")[:_MAX_TASKS]]
    tasks = []
    for place in worst:
        task = known.history.task(int(known.table.id[place]))
        tasks.append({"id": task.id, "app": task.app, "host": task.host, "attempt": task.attempt + 1,
                      "run_s": float(run_s[place]), "ratio": float(ratio[place])})  # fmt: skip
    return tasks
