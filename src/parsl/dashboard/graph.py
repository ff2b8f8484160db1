"""What depends on what? The graph of tasks, grouped by app and level."""

from __future__ import annotations

from typing import Any

import numpy as np

from parsl.dashboard.live import Known
from parsl.dashboard.task_table import Ints
from parsl.eventlog import answers
from parsl.eventlog.history import AppCounts

#: Levels are grouped into at most this many columns, apps into at most this many rows.
_MAX_COLUMNS = 24
_MAX_APPS = 16
#: At most this many edges are drawn, those that stand for most dependencies first.
_MAX_EDGES = 300


def graph(known: Known) -> dict[str, Any]:
    """Return groups of tasks with the same app and about the same level, and the edges between them."""
    table = known.table
    if not len(table):
        return {"groups": [], "edges": [], "columns": [], "level_count": 0}
    levels = known.dependencies.levels(table.id)
    highest = int(levels.max())
    column_count = min(highest + 1, _MAX_COLUMNS)
    columns = levels * column_count // (highest + 1)
    apps = _rows_of_apps(table.app.astype(np.int64))
    places = columns * (_MAX_APPS + 1) + apps
    groups = [_group(known, places, int(place)) for place in np.unique(places)]
    edges, edge_count = _edges(known, places)
    return {
        "groups": groups,
        "edges": edges,
        "edge_count": edge_count,
        "columns": [_levels_of(column, column_count, highest + 1) for column in range(column_count)],
        "level_count": highest + 1,
    }


def _rows_of_apps(apps: Ints) -> Ints:
    """Return the row of each task: that of its app, or the last one for apps with few tasks."""
    counts = np.bincount(apps)
    if len(counts) <= _MAX_APPS:
        return apps
    rows = np.full(len(counts), _MAX_APPS, dtype=np.int64)
    rows[np.sort(np.argsort(-counts, kind="stable")[:_MAX_APPS])] = np.arange(_MAX_APPS)
    return rows[apps]


def _group(known: Known, places: Ints, place: int) -> dict[str, Any]:
    table, members = known.table, np.flatnonzero(places == place)
    apps = np.unique(table.app[members])
    counts = AppCounts()
    states, numbers = np.unique(table.state[members], return_counts=True)
    for state, number in zip(states, numbers, strict=True):
        counts.by_state[int(state)] = int(number)
    name = known.history.app_name(int(apps[0])) if len(apps) == 1 else f"{len(apps)} other apps"
    return {
        "id": place,
        "column": place // (_MAX_APPS + 1),
        "row": place % (_MAX_APPS + 1),
        "name": name,
        "count": len(members),
        "tasks": [int(table.id[member]) for member in members[:3]],
        **answers.counts_of(counts)._asdict(),
    }


def _levels_of(column: int, column_count: int, level_count: int) -> list[int]:
    """Return the first and the last level in a column."""
    first = -(-column * level_count // column_count)
    last = -(-(column + 1) * level_count // column_count) - 1
    return [first, last]


def _edges(known: Known, places: Ints) -> tuple[list[list[int]], int]:
    """Return edges between groups, as [from, to, number], and how many edges there are between tasks."""
    before, after = known.dependencies.edges()
    place_of = np.full(int(known.table.id.max()) + 1, -1, dtype=np.int64)
    place_of[known.table.id] = places
    is_known = (before < len(place_of)) & (after < len(place_of))
    size = int(places.max()) + 1
    begins, ends = place_of[before[is_known]], place_of[after[is_known]]
    both = (begins >= 0) & (ends >= 0)
    pairs, numbers = np.unique(begins[both] * size + ends[both], return_counts=True)
    order = np.argsort(-numbers, kind="stable")[:_MAX_EDGES]
    edges = [[int(pairs[n] // size), int(pairs[n] % size), int(numbers[n])] for n in order]
    return edges, len(before)
