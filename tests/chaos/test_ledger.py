"""The soak's own checks find the defects that they are made for."""

from __future__ import annotations

import pytest

from chaos.footprint import Footprint, Sample
from chaos.ledger import Ledger, Outcome, findings, summary
from parsl.executors.high_throughput.errors import WorkerLost


def ledger(outcomes):
    book = Ledger()
    for number, ended in outcomes.items():
        book.add(number, ended)
    return book


def outcome(kind="rest", failures=0, error=None, is_right=True):
    return Outcome(kind, failures, error, is_right)


@pytest.mark.parametrize(
    ("ended", "begun"),
    [
        (outcome(), 1),
        (outcome(failures=2), 3),
        (outcome(failures=2), 1),
        (outcome("complain", 1, ValueError, False), 1),
        (outcome("rest", 3, WorkerLost, False), 0),
    ],
)
def test_a_correct_run_has_no_findings(ended, begun):
    assert findings(ledger({0: ended}), 1, {0: begun}) == []


@pytest.mark.parametrize(
    ("ended", "begun", "found"),
    [
        (outcome(), 2, "more often"),
        (outcome(failures=1), 3, "more often"),
        (outcome(), 0, "without having begun"),
        (outcome(is_right=False), 1, "wrong result"),
        (outcome("rest", 1, ValueError, False), 1, "ended with ValueError"),
        (outcome("complain", 1, KeyError, False), 1, "ended with KeyError"),
    ],
)
def test_each_defect_is_found(ended, begun, found):
    [text] = findings(ledger({0: ended}), 1, {0: begun})
    assert found in text


def test_unfinished_tasks_are_found_and_the_first_is_named():
    assert findings(ledger({1: outcome()}), 4, {1: 1}) == ["3 tasks: has not ended (the first: 0, 2, 3)"]


def test_outcomes_are_counted():
    assert (
        summary(ledger({0: outcome(), 1: outcome(), 2: outcome(error=WorkerLost)})) == "2 done, 1 WorkerLost"
    )


def footprint(*memory: int, descriptors: int = 5, processes: int = 5) -> Footprint:
    return Footprint([Sample(each, descriptors, processes) for each in memory])


def test_fluctuations_are_not_growth():
    peaks = [10**8, 2 * 10**8, 10**8] * 5
    assert footprint(*peaks).growth() == []


def test_growth_is_found():
    [text] = footprint(*(number * 10**8 for number in range(1, 10))).growth()
    assert text == "memory has grown from 300,000,000 to 900,000,000"


def test_too_few_samples_prove_nothing():
    assert footprint(1, 2).growth() != []
