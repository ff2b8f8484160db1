"""The tasks of a history as arrays."""

from __future__ import annotations

import numpy as np

from parsl.dashboard.task_table import TaskTable
from parsl.eventlog import records
from parsl.eventlog.history import RunHistory
from parsl.vocabulary.task_states import States
from tests.support.event_logs import BEGAN_S, ended_row


def table_of(*rows: records.TaskRow) -> TaskTable:
    history = RunHistory()
    history.apply(records.Tasks(list(rows)))
    return TaskTable(history)


def test_numbers_without_a_task_are_left_out():
    table = table_of(ended_row(0), ended_row(5, state=States.failed))
    assert table.id.tolist() == [0, 5]
    assert table.is_failed.tolist() == [False, True]


def test_what_is_unknown_is_not_a_number():
    table = table_of(records.TaskRow(0, 0, 0, int(States.pending), 0, BEGAN_S, None))
    assert np.isnan([table.launched_s[0], table.started_s[0], table.returned_s[0], table.cpu_s[0]]).all()
    assert np.isnan(table.end_s(BEGAN_S + 9)).all()


def test_the_history_can_grow_while_a_table_is_in_use():
    history = RunHistory()
    history.apply(records.Tasks([ended_row(0)]))
    table = TaskTable(history)
    history.apply(records.Tasks([ended_row(number) for number in range(1, 100)]))
    assert len(table) == 1
    assert len(TaskTable(history)) == 100
