"""The page of a task."""

from __future__ import annotations

from parsl.dashboard.task import task
from parsl.eventlog import records
from parsl.vocabulary.task_states import States
from tests.dashboard.known import known_of, ran
from tests.support.event_logs import BEGAN_S


def test_a_task_has_its_life_and_its_neighbours(tmp_path):
    rows = [ran(0, 2.0, 4.0), ran(1, 4.0, 6.0, app=1, depends=(0,)), ran(2, 6.0, 7.0, depends=(1,))]
    answer = task(known_of(tmp_path, records.Tasks(rows)), 1)
    assert answer is not None
    assert (answer["app"], answer["state"], answer["host"]) == ("other", "exec_done", "n0")
    assert answer["before"] == [{"id": 0, "app": "work", "state": "exec_done"}]
    assert [other["id"] for other in answer["after"]] == [2]


def test_a_failed_task_has_its_attempts(tmp_path):
    row = ran(0, 2.0, 4.0, state=int(States.failed), attempt=1)
    failures = [
        records.AttemptFailed(0, n, 0, BEGAN_S + 3 + n, outcome, "builtins.OSError", "no space", host="n0")
        for n, outcome in enumerate(("tried again", "failed"))
    ]
    answer = task(known_of(tmp_path, *failures, records.Tasks([row])), 0)
    assert answer is not None
    assert [(failure["attempt"], failure["outcome"]) for failure in answer["failures"]] == [
        (1, "tried again"), (2, "failed"),
    ]  # fmt: skip


def test_an_unknown_task_is_none(tmp_path):
    assert task(known_of(tmp_path), 7) is None
