"""What the states of machines mean for their block."""

from __future__ import annotations

import pytest

from parsl.providers.machines.block_status import FRESH_S, block_status
from parsl.providers.machines.cloud import End, Machine, MachineState
from parsl.vocabulary.job_states import JobState

STARTING, RUNNING = (MachineState.STARTING, None), (MachineState.RUNNING, None)
NEW_S, OLD_S, WALLTIME_S = 1.0, FRESH_S + 1, 3600.0


def ended(end):
    return (MachineState.ENDED, end)


def status_of(*states, age_s=OLD_S):
    """Return the status of a block whose machines have these states; None for one that is not listed."""
    ids = [f"m-{number}" for number in range(len(states))]
    listed = {
        id_: Machine(id_, state[0], "run", "block", end=state[1], reason="some reason")
        for id_, state in zip(ids, states, strict=True)
        if state is not None
    }
    return block_status(ids, listed, age_s, WALLTIME_S)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([STARTING], JobState.PENDING),
        ([RUNNING], JobState.RUNNING),
        ([STARTING, RUNNING], JobState.RUNNING),
        ([ended(End.RECLAIMED), RUNNING], JobState.RUNNING),
        ([ended(End.RECLAIMED), STARTING], JobState.PENDING),
        ([ended(End.ITSELF)], JobState.COMPLETED),
        ([ended(End.ITSELF), ended(End.ITSELF)], JobState.COMPLETED),
        ([ended(End.ITSELF), ended(End.RECLAIMED)], JobState.CANCELLED),
        ([ended(End.RECLAIMED), ended(End.FAULT)], JobState.FAILED),
        ([ended(End.REQUESTED)], JobState.CANCELLED),
        ([ended(None)], JobState.MISSING),
        ([None, RUNNING], JobState.RUNNING),
        ([None, ended(End.ITSELF)], JobState.COMPLETED),
        ([None], JobState.MISSING),
    ],
)
def test_states(states, expected):
    assert status_of(*states).state is expected


def test_new_machines_may_not_be_listed_yet():
    assert status_of(None, age_s=NEW_S).state is JobState.PENDING


def test_a_machine_that_ends_at_its_walltime():
    assert status_of(ended(End.ITSELF), age_s=WALLTIME_S).state is JobState.TIMEOUT
    assert status_of(ended(End.RECLAIMED), age_s=WALLTIME_S).state is JobState.CANCELLED


def test_messages_contain_the_service_own_words():
    assert (
        "m-0: the service has reclaimed the machine (some reason)" in status_of(ended(End.RECLAIMED)).message
    )
    assert status_of(ended(End.FAULT), RUNNING).message.startswith("1 of 2 machines have ended: m-0")
    assert status_of(RUNNING).message is None
