"""Failures grouped by their cause."""

from __future__ import annotations

import pytest

from parsl.eventlog import DEPENDENCY_FAILED, TRIED_AGAIN
from parsl.eventlog.failure_groups import FailureGroups, pattern_of
from parsl.eventlog.records import AttemptFailed
from tests.support.event_logs import BEGAN_S


def failure(task: int, message: str = "no file x", outcome: str = "failed", **changes) -> AttemptFailed:
    facts = {"error": "builtins.OSError", "host": "x0", **changes}
    return AttemptFailed(task, 0, 0, BEGAN_S + task, outcome, message=message, **facts)


@pytest.mark.parametrize(
    ("message", "pattern"),
    [
        ("bad input 17", "bad input #"),
        ("cannot open /data/part-0017.csv\nmore", "cannot open /data/part-#.csv"),
        ("<X at 0x7f3a2b> is 1.5", "<X at #> is #"),
        ("run 6a2f41a3-c54c-4d43-8a0e-5c1f3c1f9d3e is gone", "run # is gone"),
        ("Task 5 (f), attempt 2: bad", "bad"),
        ("", ""),
        ("x" * 1000, "x" * 200),
    ],
)
def test_what_differs_between_messages_is_left_out(message, pattern):
    assert pattern_of(message) == pattern


def test_failures_with_one_cause_are_one_group():
    groups = FailureGroups()
    for task in range(100):
        groups.take(failure(task, f"bad input {task}", host=f"x{task % 2}", app=task % 3))
    groups.take(failure(100, error="parsl.errors.WorkerLost", app=0))
    first, second = groups.largest_first()
    assert (first.attempts, first.failed, first.short_error) == (100, 100, "OSError")
    assert (first.apps, first.hosts) == ({0: 34, 1: 33, 2: 33}, {"x0": 50, "x1": 50})
    assert first.tasks == list(range(20))
    assert (first.first_s, first.last_s) == (BEGAN_S, BEGAN_S + 99)
    assert (second.short_error, second.number) == ("WorkerLost", 2)


def test_an_attempt_that_is_followed_by_another_is_not_a_failed_task():
    groups = FailureGroups()
    groups.take(failure(0, outcome=TRIED_AGAIN))
    groups.take(failure(0))
    [group] = groups.largest_first()
    assert (group.attempts, group.tried_again, group.failed, group.tasks) == (2, 1, 1, [0])


def test_tasks_that_never_ran_count_for_the_cause():
    groups = FailureGroups()
    groups.take(failure(5))
    for task in (6, 7):
        groups.take(failure(task, "via task 5", DEPENDENCY_FAILED, error="parsl.D", root_task=5))
    groups.take(failure(8, "via task 7", DEPENDENCY_FAILED, error="parsl.D", root_task=7))
    [group] = groups.largest_first()
    assert (group.failed, group.followers) == (1, 3)


def test_a_failed_dependency_with_unknown_cause_is_a_group_of_its_own():
    groups = FailureGroups()
    groups.take(failure(6, "via task 5", DEPENDENCY_FAILED, error="parsl.D", root_task=10**6))
    [group] = groups.largest_first()
    assert (group.short_error, group.followers) == ("D", 0)


def test_a_cancelled_task_has_no_error():
    groups = FailureGroups()
    groups.take(failure(6, "", "cancelled", error=""))
    [group] = groups.largest_first()
    assert (group.error, group.pattern) == ("", "cancelled")
