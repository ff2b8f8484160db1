"""The states of tasks; their numbers are in users' databases."""

from __future__ import annotations

from parsl.dataflow.states import FINAL_FAILURE_STATES, FINAL_STATES, States


def test_numbers_do_not_change():
    assert {state.name: state.value for state in States} == {
        "pending": 0,
        "running": 2,
        "exec_done": 3,
        "failed": 4,
        "dep_fail": 5,
        "launched": 7,
        "fail_retryable": 8,
        "memo_done": 9,
        "joining": 10,
        "running_ended": 11,
    }


def test_final_states():
    assert {States.exec_done, States.memo_done, States.failed, States.dep_fail} == FINAL_STATES
    assert {States.failed, States.dep_fail} == FINAL_FAILURE_STATES
