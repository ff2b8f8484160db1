"""Which states of a task may follow which."""

from __future__ import annotations

from parsl.errors import InternalConsistencyError
from parsl.vocabulary.task_states import FINAL_STATES, States

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_ENDS_OF_AN_ATTEMPT = (States.exec_done, States.failed, States.fail_retryable, States.joining)

#: From each state, the states a task may enter next. From a final state, none.
LEGAL_TRANSITIONS: Mapping[States, frozenset[States]] = {
    States.pending: frozenset(
        # exec_done: run by the kernel itself, without an executor; failed: cancelled, or not submittable
        {States.launched, States.exec_done, States.memo_done, States.dep_fail, *_ENDS_OF_AN_ATTEMPT}
        - {States.joining}
    ),
    States.launched: frozenset({States.running, *_ENDS_OF_AN_ATTEMPT}),
    States.running: frozenset({States.running_ended, *_ENDS_OF_AN_ATTEMPT}),
    States.running_ended: frozenset(_ENDS_OF_AN_ATTEMPT),
    States.fail_retryable: frozenset({States.pending, States.failed}),
    States.joining: frozenset({States.exec_done, States.failed}),
    **{state: frozenset() for state in FINAL_STATES},
}


def check_transition(old: States, new: States) -> None:
    """Refuse a step that no task may take.

    Raises:
        InternalConsistencyError: It is not in :data:`LEGAL_TRANSITIONS`.
    """
    if new not in LEGAL_TRANSITIONS[old]:
        allowed = ", ".join(sorted(state.name for state in LEGAL_TRANSITIONS[old])) or "nothing"
        raise InternalConsistencyError(f"A task went from {old.name} to {new.name}; allowed is {allowed}.")


def check_history(states: Iterable[States]) -> None:
    """Refuse a sequence of states that no task may go through; for tests and tools."""
    from itertools import pairwise

    for old, new in pairwise(states):
        check_transition(old, new)
