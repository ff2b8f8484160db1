"""The ledger of machine-hours."""

from __future__ import annotations

import pytest

from parsl.providers.machines.machine_hours import MachineHours

HOUR_S = 3600.0


def test_without_a_limit_hours_are_counted():
    hours = MachineHours(None)
    hours.requested(["a", "b"], 0.0, HOUR_S)
    hours.ended(["a"], 0.5 * HOUR_S)
    assert hours.used_h(0.75 * HOUR_S) == pytest.approx(1.25)
    assert hours.refusal(1000, HOUR_S) is None


def test_machines_reserve_the_hours_up_to_their_walltime():
    hours = MachineHours(3.0)
    hours.requested(["a", "b"], 0.0, HOUR_S)
    assert hours.refusal(1, HOUR_S) is None
    assert "2.00 are reserved by 2 running machines" in hours.refusal(2, HOUR_S)


def test_an_early_end_frees_the_rest():
    hours = MachineHours(2.0)
    hours.requested(["a", "b"], 0.0, HOUR_S)
    hours.ended(["a"], 0.25 * HOUR_S)
    hours.ended(["a"], HOUR_S)
    assert hours.refusal(1, 0.75 * HOUR_S) is None
    assert hours.refusal(1, 0.76 * HOUR_S)


def test_an_end_that_is_seen_late_costs_no_more_than_the_walltime():
    hours = MachineHours(None)
    hours.requested(["a"], 0.0, HOUR_S)
    assert hours.used_h(9 * HOUR_S) == 1.0
    hours.ended(["a"], 10 * HOUR_S)
    assert hours.used_h(10 * HOUR_S) == 1.0


def test_hours_of_earlier_runs_count():
    assert "4.50 hours are used" in MachineHours(5.0, used_h=4.5).refusal(1, HOUR_S)
