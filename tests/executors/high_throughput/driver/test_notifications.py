"""What the observer of an executor is notified of."""

from __future__ import annotations

import time

import pytest

from parsl.executors.high_throughput.driver.notifications import NUMBER_GAP, Notifications
from parsl.executors.high_throughput.driver.tasks import HTEXFuture, TaskTable
from parsl.executors.high_throughput.wire.protocol import (
    ManagerGone,
    ManagerInfo,
    ManagerJoined,
    NodeChange,
    NodeSize,
    Running,
    Started,
    Task,
)
from parsl.vocabulary.run_facts import ManagerFacts
from tests.support.recorder import Recorder


class Scene:
    def __init__(self) -> None:
        self.recorder = Recorder()
        self.tasks = TaskTable()
        self.notifications = Notifications("htex", self.recorder, self.tasks)

    def join(self, name: str, number: int) -> None:
        info = ManagerInfo(name, "3", "x1c0", 4, 0, 0.0, True, False, "v", "3.11.7", number=number)
        self.notifications.manager_joined(ManagerJoined(info, "", 17, NodeSize(8, 2**30, ["0.0", "0.1"])))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_manager_has_the_same_number_when_it_joins_and_when_it_leaves(scene: Scene) -> None:
    scene.join("a", 0)
    scene.join("b", 5)
    facts = ManagerFacts(5, "b", "3", "x1c0", 17, 4, 8, 2**30, "3.11.7", ("0.0", "0.1"))
    assert scene.recorder.joined[1] == facts
    scene.notifications.manager_gone(ManagerGone("b", "3", "its process has ended"))
    scene.notifications.manager_gone(ManagerGone("unknown", "3", "it never joined"))
    assert scene.recorder.gone == [(5, "its process has ended")]
    assert scene.recorder.labels == {"htex"}


def test_a_replacement_begins_with_unused_numbers(scene: Scene) -> None:
    assert scene.notifications.next_number > 0
    scene.join("a", 41)
    assert scene.notifications.next_number == 41 + NUMBER_GAP


def test_changes_of_nodes_arrive(scene: Scene) -> None:
    scene.notifications.node_changed(NodeChange("x1c0", "it gets no tasks for 60 s", True))
    assert scene.recorder.nodes == [("x1c0", "it gets no tasks for 60 s")]


def test_running_tasks_have_moments_by_the_driver_s_clock(scene: Scene) -> None:
    future = HTEXFuture(1)
    scene.tasks.add(future, Task(1, b"", b""), (), None)
    before = time.time()
    scene.notifications.tasks_started(Started({1: Running(2.0, 5, 3), 99: Running(5.0, 0, 0)}))
    scene.notifications.tasks_started(Started({99: Running(6.0, 0, 0)}))
    [(found, moment_s, *place)] = scene.recorder.started
    assert (found, place) == (future, [3, 5])
    assert before - 2.0 <= moment_s <= time.time() - 2.0
