"""The driver's queries are answered at once, after the managers' replies, or once the managers are known."""

from __future__ import annotations

from typing import Any

import pytest

from parsl.executors.high_throughput.interchange.manager import Manager
from parsl.executors.high_throughput.interchange.matching import WorkerMatching
from parsl.executors.high_throughput.interchange.reports import ACTIVITY_PERIOD_S, PATIENCE_S, Reports
from parsl.executors.high_throughput.interchange.state import InterchangeState, Restoration
from parsl.executors.high_throughput.manager_selector import RandomManagerSelector
from parsl.executors.high_throughput.wire.protocol import Query, Task
from tests.executors.high_throughput.interchange.fakes import FakeDriver, join, register


class Conversation:
    """Reports, and the driver that receives them."""

    def __init__(self, restoration: Restoration | None = None) -> None:
        self.state = InterchangeState(WorkerMatching(RandomManagerSelector()), restoration)
        self.driver = FakeDriver()
        self.reports = Reports(self.state, self.driver.link)

    def join(self, name: str, **options: Any) -> Manager:
        return join(self.state, register(name, **options))

    def reply(self, manager: Manager, packages: dict[str, str]) -> None:
        manager.packages = packages
        self.reports.answer_surveys(1.0)

    def answered(self) -> list[int]:
        return [answer.number for answer in self.driver.messages()]


@pytest.fixture
def conversation() -> Conversation:
    return Conversation()


def test_a_query_for_managers_is_answered_at_once(conversation: Conversation) -> None:
    conversation.join("m1")
    assert conversation.reports.query(Query(5, "managers"), 1.0) == []
    [answer] = conversation.driver.messages()
    assert (answer.number, [info.manager for info in answer.managers]) == (5, ["m1"])


def test_a_query_for_packages_is_answered_after_all_managers_have_replied(conversation: Conversation) -> None:
    first, second = conversation.join("m1"), conversation.join("m2")
    assert conversation.reports.query(Query(1, "packages"), 0.0) == [first, second]
    conversation.reply(first, {"numpy": "2"})
    assert not conversation.answered()
    assert conversation.reports.surveys
    conversation.reply(second, {"numpy": "1"})
    [answer] = conversation.driver.messages()
    assert answer.packages == {"m1": {"numpy": "2"}, "m2": {"numpy": "1"}}
    assert not conversation.reports.surveys


def test_each_manager_is_queried_for_its_packages_once(conversation: Conversation) -> None:
    first = conversation.join("m1")
    conversation.reports.query(Query(1, "packages"), 0.0)
    conversation.reply(first, {"numpy": "2"})
    second = conversation.join("m2")
    assert conversation.reports.query(Query(2, "packages"), 2.0) == [second]


def test_a_silent_manager_is_awaited_for_a_limited_time(conversation: Conversation) -> None:
    conversation.join("m1")
    conversation.reports.query(Query(1, "packages"), 0.0)
    conversation.reports.time_passed(PATIENCE_S / 2)
    assert not conversation.answered()
    conversation.reports.time_passed(PATIENCE_S)
    assert conversation.answered() == [1]


def test_a_lost_manager_is_not_awaited(conversation: Conversation) -> None:
    manager = conversation.join("m1")
    conversation.reports.query(Query(1, "packages"), 0.0)
    conversation.state.remove(manager)
    conversation.reports.time_passed(0.0)
    assert conversation.answered() == [1]


def test_a_replacement_answers_when_the_managers_are_known_again() -> None:
    restoration = Restoration({"m1": "0"})
    restoration.is_complete = True
    conversation = Conversation(restoration)
    conversation.reports.query(Query(1, "managers"), 0.0)
    assert not conversation.answered()
    conversation.join("m1")
    assert conversation.state.end_restoration()
    conversation.reports.resume(1.0)
    [answer] = conversation.driver.messages()
    assert len(answer.managers) == 1


def test_changes_are_reported_together_after_a_while(conversation: Conversation) -> None:
    assert conversation.reports.due_s == float("inf")
    conversation.reports.changed()
    assert conversation.reports.due_s == 0.0
    conversation.reports.report_activity(5.0)
    assert conversation.answered() == [0]
    assert conversation.reports.due_s == float("inf")
    conversation.reports.changed()
    assert conversation.reports.due_s == 5.0 + ACTIVITY_PERIOD_S


def test_a_task_that_runs_out_of_time_is_a_change(conversation: Conversation) -> None:
    conversation.join("m1", ends_in_s=100.0)
    conversation.state.add_tasks([Task(1, b"", b"", runtime_s=60.0)])
    conversation.reports.tasks_changed()
    conversation.reports.report_activity(0.0)
    conversation.reports.time_passed(40.0)
    assert conversation.reports.due_s == float("inf")
    conversation.reports.time_passed(41.0)
    assert conversation.reports.due_s < float("inf")
    conversation.reports.report_activity(41.0)
    assert [answer.without_time for answer in conversation.driver.messages()] == [0, 1]


def test_a_replacement_reports_no_activity_before_the_managers_are_known() -> None:
    conversation = Conversation(Restoration({"m1": "0"}))
    conversation.reports.changed()
    assert conversation.reports.due_s == float("inf")
