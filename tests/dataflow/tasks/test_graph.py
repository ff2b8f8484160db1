"""The states that tasks enter, and in which order."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from parsl.dataflow.futures import AppFuture
from parsl.dataflow.states import FINAL_STATES, States
from parsl.dataflow.taskrecord import TaskRecord
from parsl.dataflow.tasks.graph import LEGAL_TRANSITIONS, TaskGraph
from parsl.errors import InternalConsistencyError

#: An attempt that has ended on its worker is known together with its outcome.
NOT_ENTERED = {States.running_ended}


def test_the_table_has_every_state_that_is_entered() -> None:
    assert set(LEGAL_TRANSITIONS) == set(States) - NOT_ENTERED
    assert {States.pending}.union(*LEGAL_TRANSITIONS.values()) == set(States) - NOT_ENTERED


def test_nothing_follows_a_final_state_and_every_other_state_leads_to_one() -> None:
    for state, following in LEGAL_TRANSITIONS.items():
        assert bool(following) == (state not in FINAL_STATES)
        assert state in FINAL_STATES or States.failed in following


@pytest.mark.parametrize(
    "history",
    [
        "pending launched exec_done",
        "pending launched fail_retryable pending launched failed",
        "pending fail_retryable failed",
        "pending launched joining exec_done",
        "pending dep_fail",
        "pending memo_done",
        "pending failed",
    ],
)
def test_legal_histories(history: str) -> None:
    for old, new in pairwise(States[name] for name in history.split()):
        assert new in LEGAL_TRANSITIONS[old]


def record_in(graph: TaskGraph) -> TaskRecord:
    record = TaskRecord(None, len, (), {}, "executor", 0.0)  # type: ignore[arg-type]
    record.app_fu = AppFuture(record)
    graph.add(record)
    return record


def step(graph: TaskGraph, record: TaskRecord, state: States) -> Any:
    """Make a transition. Returns False or None if the task has ended."""
    steps: Any = {
        States.launched: lambda: graph.launched(record, AppFuture(record)),
        States.joining: lambda: graph.joining(record, []),
        States.fail_retryable: lambda: graph.attempt_failed(record),
        States.pending: lambda: graph.pending_again(record),
    }
    return steps[state]() if state in steps else graph.finish(record, state)


@pytest.mark.parametrize(
    "history",
    [
        "joining",
        "exec_done",
        "launched launched",
        "launched dep_fail",
        "launched memo_done",
        "launched joining pending",
        "launched fail_retryable launched",
    ],
)
def test_illegal_transitions_are_refused(history: str) -> None:
    graph = TaskGraph(keep_finished=True)
    record = record_in(graph)
    *legal, illegal = (States[name] for name in history.split())
    for state in legal:
        assert step(graph, record, state)
    before = record.status
    with pytest.raises(InternalConsistencyError, match=f"from {before.name} to {illegal.name}, only to"):
        step(graph, record, illegal)
    assert record.status is before


def test_an_ended_task_does_not_change() -> None:
    graph = TaskGraph(keep_finished=True)
    record = record_in(graph)
    assert graph.finish(record, States.failed) is record.app_fu
    for state in set(States) - NOT_ENTERED:
        assert not step(graph, record, state)
    assert record.status is States.failed
    assert graph.state_counts()[States.failed] == 1


def test_new_tasks_are_found_without_a_look_at_old_and_ended_ones() -> None:
    graph = TaskGraph(keep_finished=False)
    old, ended = record_in(graph), record_in(graph)
    assert graph.added_since(0) == (2, [old.id, ended.id])
    early = TaskRecord(None, len, (), {}, "executor", 0.0)  # type: ignore[arg-type]
    early.id = graph.new_id()
    later, over = record_in(graph), record_in(graph)
    graph.finish(ended, States.failed)
    graph.finish(over, States.failed)
    assert graph.added_since(2) == (5, [later.id])
    graph.add(early)
    last = record_in(graph)
    assert graph.added_since(5) == (6, [early.id, last.id])
    assert graph.added_since(6) == (6, [])
