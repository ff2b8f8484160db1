"""How well are the nodes used? Busy workers over time, processor time and memory, by node."""

from __future__ import annotations

from typing import Any

import numpy as np

from parsl.dashboard.binning import Window, mean_number, window_of
from parsl.dashboard.live import Known
from parsl.dashboard.task_table import Floats, Ints
from parsl.eventlog import answers
from parsl.eventlog.history import ManagerView

_BINS = 120
#: At most this many managers are shown, connected ones first.
_MAX_NODES = 64
_NO_ROW = -1


def nodes(known: Known) -> dict[str, Any]:
    """Return each manager's use of its workers over time, with totals."""
    table, until_s = known.table, known.until_s()
    managers = sorted(known.history.managers.items(), key=lambda item: (item[1].gone_s is not None, item[0]))
    shown = managers[:_MAX_NODES]
    window = window_of(_first_start(known, until_s), until_s, _BINS)
    rows = rows_of(known, [key for key, _ in shown])
    on_shown = rows != _NO_ROW
    ends_s = table.end_s(until_s)
    busy = mean_number(table.started_s[on_shown], ends_s[on_shown], rows[on_shown], len(shown), window)
    totals = _Totals(known, rows, len(shown), ends_s)
    return {
        "from_s": window.from_s,
        "to_s": window.to_s,
        "nodes": [_node(known, view, busy[row], totals, row, window) for row, (_, view) in enumerate(shown)],
        "node_count": len(managers),
        "elsewhere": int((~np.isnan(table.started_s) & (table.manager < 0)).sum()),
    }


def rows_of(known: Known, managers: list[tuple[int, int]]) -> Ints:
    """Return for each task the place of its manager in a list; -1 if the manager is not in it."""
    table = known.table
    keys = _key(table.executor.astype(np.int64), table.manager.astype(np.int64))
    rows = np.full(len(table), _NO_ROW, dtype=np.int64)
    if managers:
        requested = np.array([_key(*key) for key in managers], dtype=np.int64)
        order = np.argsort(requested)
        places = np.minimum(np.searchsorted(requested[order], keys), len(requested) - 1)
        is_found = (requested[order][places] == keys) & (table.manager >= 0)
        rows[is_found] = order[places[is_found]]
    return rows


def _key(executor: Any, manager: Any) -> Any:
    return executor * 2**32 + manager


def _first_start(known: Known, until_s: float) -> float:
    joined_s = [view.facts.time_s for view in known.history.managers.values()]
    return min([*joined_s, until_s])


class _Totals:
    """Sums over the tasks of each row."""

    def __init__(self, known: Known, rows: Ints, count: int, ends_s: Floats) -> None:
        table = known.table
        known_times = (rows != _NO_ROW) & ~np.isnan(table.started_s) & ~np.isnan(ends_s)
        measured = known_times & ~np.isnan(table.cpu_s)
        run_s = np.where(known_times, ends_s - table.started_s, 0.0)
        self.tasks = np.bincount(rows[known_times], minlength=count)
        self.run_s = np.bincount(rows[known_times], weights=run_s[known_times], minlength=count)
        self.cpu_s = np.bincount(rows[measured], weights=table.cpu_s[measured], minlength=count)
        self.measured_s = np.bincount(rows[measured], weights=run_s[measured], minlength=count)
        self.memory = np.zeros(count, dtype=np.int64)
        np.maximum.at(self.memory, rows[known_times], table.peak_memory[known_times].astype(np.int64))


def _node(
    known: Known, view: ManagerView, busy: Floats, totals: _Totals, row: int, window: Window
) -> dict[str, Any]:
    facts = view.facts
    workers = max(facts.workers, 1)
    end_s = window.to_s if view.gone_s is None else min(view.gone_s, window.to_s)
    available_s = max(end_s - facts.time_s, 1e-9) * workers
    measured_s = float(totals.measured_s[row])
    return {
        "host": facts.host,
        "manager": facts.name,
        "executor": answers.executor_name(known.history, facts.executor),
        "block": facts.block,
        "workers": facts.workers,
        "accelerators": len(facts.accelerators),
        "is_connected": view.gone_s is None,
        "tasks": int(totals.tasks[row]),
        "used": min(1.0, float(totals.run_s[row]) / available_s),
        "cpu": float(totals.cpu_s[row]) / measured_s if measured_s else None,
        "peak_memory": int(totals.memory[row]),
        "total_memory": facts.total_memory,
        "cpu_count": facts.cpu_count,
        "busy": [round(min(1.0, float(value) / workers), 2) for value in busy],
    }
