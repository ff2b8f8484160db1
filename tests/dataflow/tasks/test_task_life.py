from __future__ import annotations

import pytest

from parsl.dataflow.states import FINAL_STATES, States
from parsl.dataflow.tasks.life import LEGAL_TRANSITIONS, check_history, check_transition
from parsl.errors import InternalConsistencyError


def test_every_state_is_in_the_table() -> None:
    assert set(LEGAL_TRANSITIONS) == set(States)


def test_nothing_follows_a_final_state_and_every_other_one_leads_to_one() -> None:
    for state, following in LEGAL_TRANSITIONS.items():
        assert bool(following) == (state not in FINAL_STATES)
        assert state in FINAL_STATES or States.failed in following


def test_every_state_can_be_reached() -> None:
    reached = {States.pending}.union(*LEGAL_TRANSITIONS.values())
    assert reached == set(States)


@pytest.mark.parametrize(
    "history",
    [
        "pending launched exec_done",
        "pending launched running running_ended exec_done",
        "pending launched fail_retryable pending launched failed",
        "pending launched joining exec_done",
        "pending dep_fail",
        "pending memo_done",
        "pending failed",
    ],
)
def test_these_lives_are_legal(history: str) -> None:
    check_history(States[name] for name in history.split())


@pytest.mark.parametrize(
    "step",
    ["exec_done pending", "failed exec_done", "pending joining", "launched dep_fail", "joining pending"],
)
def test_these_steps_are_not(step: str) -> None:
    old, new = (States[name] for name in step.split())
    with pytest.raises(InternalConsistencyError, match=f"from {old.name} to {new.name}"):
        check_transition(old, new)
