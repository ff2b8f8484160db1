"""Levels and edges of a growing history."""

from __future__ import annotations

import numpy as np

from parsl.dashboard.dependencies import Dependencies
from parsl.eventlog.history import RunHistory


def history_of(**depends: tuple[int, ...]) -> RunHistory:
    history = RunHistory()
    history.depends.update({int(name[1:]): others for name, others in depends.items()})
    return history


def test_a_level_is_one_above_the_highest_below():
    dependencies = Dependencies()
    dependencies.take(history_of(t1=(0,), t2=(0, 1), t5=(2, 4)))
    assert dependencies.levels(np.arange(7)).tolist() == [0, 1, 2, 0, 0, 3, 0]


def test_a_history_is_taken_in_piece_by_piece():
    dependencies, history = Dependencies(), history_of(t1=(0,))
    dependencies.take(history)
    history.depends[2] = (1,)
    history.depends[3] = (1, 2)
    dependencies.take(history)
    assert dependencies.levels(np.arange(4)).tolist() == [0, 1, 2, 3]
    before, after = dependencies.edges()
    assert list(zip(before.tolist(), after.tolist(), strict=True)) == [(0, 1), (1, 2), (1, 3), (2, 3)]


def test_a_task_is_known_by_those_that_depend_on_it():
    dependencies = Dependencies()
    dependencies.take(history_of(t1=(0,), t2=(0,), t3=(0,)))
    assert dependencies.after(0, limit=2) == ([1, 2], 3)
    assert dependencies.after(3, limit=2) == ([], 0)
