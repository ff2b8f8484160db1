"""Machines whose creation has failed halfway."""

from __future__ import annotations

from parsl.providers.machines.block_status import FRESH_S
from parsl.providers.machines.cloud import Machine, MachineState
from parsl.providers.machines.leftovers import Leftovers


def machine(state):
    return Machine("m-1", state, "run", "block", 0)


def test_a_machine_that_is_not_listed_may_still_appear():
    leftovers = Leftovers()
    leftovers.add(["block-0"], 0.0)
    assert leftovers.take_gone([], FRESH_S - 1) == []
    assert leftovers.has_fresh(FRESH_S - 1)
    assert leftovers.take_gone([], FRESH_S) == ["block-0"]
    assert not leftovers


def test_a_machine_stays_until_it_has_ended():
    leftovers = Leftovers()
    leftovers.add(["block-0"], 0.0)
    assert leftovers.take_gone([machine(MachineState.RUNNING)], 10 * FRESH_S) == []
    assert leftovers.take_gone([machine(MachineState.ENDED)], 1.0) == ["block-0"]
