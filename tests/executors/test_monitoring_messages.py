"""Messages about managers, tasks and blocks to a program without a kernel."""

from __future__ import annotations

import pickle
import queue
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import parsl
from parsl import Config, HighThroughputExecutor, python_app
from parsl.executors.monitoring_messages import MessageObserver
from parsl.jobs.states import JobState, JobStatus
from parsl.monitoring.message_type import MessageType
from parsl.vocabulary.run_facts import BlockFacts, ManagerFacts
from tests.support.waiting import wait_until
from tests.system import tasks
from tests.system.run import executor as make_executor

MANAGER = ManagerFacts(3, "m3", "b7", "x0", 100, 4, 104, 2**39, "3.11.7")
Messages = queue.SimpleQueue[Any]


def taken(messages: Messages) -> list[tuple[MessageType, Any]]:
    found = []
    while not messages.empty():
        found.append(messages.get())
    return found


def test_each_change_of_a_manager_is_a_message_about_its_node() -> None:
    messages: Messages = queue.SimpleQueue()
    observer = MessageObserver(messages, "run-1")
    observer.manager_joined("htex", MANAGER)
    observer.tasks_dispatched("htex", 3, [7, 8])
    observer.manager_gone("htex", 3, "its job has ended")
    observer.tasks_dispatched("htex", 3, [9])
    kinds, contents = zip(*taken(messages), strict=True)
    assert set(kinds) == {MessageType.NODE_INFO}
    assert [(each["tasks"], each["active"]) for each in contents] == [([], True), ([7, 8], True), ([], False)]
    first = contents[0]
    assert (first["uid"], first["block_id"], first["hostname"], first["worker_count"]) == (
        "m3",
        "b7",
        "x0",
        4,
    )
    assert (first["run_id"], first["cpu_count"], first["python_v"]) == ("run-1", 104, "3.11.7")
    assert isinstance(first["last_heartbeat"], datetime)


def test_a_change_of_a_block_is_a_message_about_it_once_it_has_a_job() -> None:
    messages: Messages = queue.SimpleQueue()
    observer = MessageObserver(messages)
    for job, status, reason in (
        (None, "PENDING", ""), ("4711", "PENDING", ""), ("4711", "PENDING", "no node is free"),
        ("4711", "RUNNING", ""),
    ):  # fmt: skip
        observer.block_changed("htex", BlockFacts("0", job, status, reason, 0.25))
    kinds, rows = zip(*((kind, row) for kind, [row] in taken(messages)), strict=True)
    assert set(kinds) == {MessageType.BLOCK_INFO}
    assert [(row["job_id"], row["status"]) for row in rows] == [("4711", "PENDING"), ("4711", "RUNNING")]
    assert (rows[0]["executor_label"], rows[0]["block_id"]) == ("htex", "0")
    assert rows[0]["timestamp"] == datetime.fromtimestamp(0.25)


def test_pickled_messages_name_the_path_that_other_versions_have() -> None:
    assert b"parsl.monitoring.message_type" in pickle.dumps(MessageType.NODE_INFO)


@pytest.fixture
def messages() -> Messages:
    return queue.SimpleQueue()


@pytest.fixture
def monitored(tmp_path: Path, messages: Messages) -> Iterator[HighThroughputExecutor]:
    """A started executor without a kernel, whose program has provided a queue."""
    found = make_executor(heartbeat_period=0.5, heartbeat_threshold=20)
    found.run_dir, found.monitoring_messages = str(tmp_path), messages
    found.start()
    found.scale_out_facade(1)
    yield found
    found.shutdown()


def test_a_program_learns_where_each_task_is_before_its_result(
    monitored: HighThroughputExecutor, messages: Messages
) -> None:
    futures = [monitored.submit(abs, {}, -number) for number in range(20)]
    assert [future.result(timeout=60) for future in futures] == list(range(20))
    found = taken(messages)
    nodes = [content for kind, content in found if kind is MessageType.NODE_INFO]
    assert {content["block_id"] for content in nodes} == {"0"}
    placed = {task for content in nodes for task in content["tasks"]}
    assert placed == {future.parsl_executor_task_id for future in futures}
    blocks = [row for kind, rows in found if kind is MessageType.BLOCK_INFO for row in rows]
    assert blocks[-1]["job_id"] == monitored.blocks_to_job_id["0"]


def test_a_program_learns_again_where_a_long_task_is(
    monitored: HighThroughputExecutor, messages: Messages, tmp_path: Path
) -> None:
    """It may look for the number of a task only after the first message about it."""
    gate = tmp_path / "gate"
    future = monitored.submit(tasks.hold, {}, str(tmp_path / "started"), str(gate))
    places: list[str] = []

    def is_placed_twice() -> bool:
        nodes = [content for kind, content in taken(messages) if kind is MessageType.NODE_INFO]
        places.extend(each["block_id"] for each in nodes if future.parsl_executor_task_id in each["tasks"])
        return len(places) > 1

    wait_until(is_placed_twice, 60)
    gate.touch()
    assert future.result(timeout=60) > 0
    assert set(places) == {"0"}


def test_rows_of_blocks_can_be_sent_on_request(
    monitored: HighThroughputExecutor, messages: Messages, tmp_path: Path
) -> None:
    assert monitored.submit(abs, {}, -1).result(timeout=60) == 1
    taken(messages)
    status = {"0": JobStatus(JobState.RUNNING)}
    monitored.send_monitoring_info(status)
    [[row]] = [content for kind, content in taken(messages) if kind is MessageType.BLOCK_INFO]
    assert (row["status"], row["block_id"], row["executor_label"]) == ("RUNNING", "0", monitored.label)
    assert row.keys() == monitored.create_monitoring_info(status)[0].keys()


@python_app
def one() -> int:
    return 1


def test_with_a_kernel_the_event_log_has_these_facts_and_no_messages_are_sent(
    tmp_path: Path, messages: Messages
) -> None:
    htex = make_executor()
    htex.monitoring_messages = messages
    with parsl.load(Config([htex], run_dir=str(tmp_path))):
        assert one().result(timeout=60) == 1
    assert taken(messages) == []
