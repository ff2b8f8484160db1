"""Managers get tasks and acknowledgements after the driver got the related messages; results keep frames."""

from __future__ import annotations

import pytest

from parsl.executors.high_throughput.interchange.driver_link import (
    ACKNOWLEDGE_AFTER_S,
    select_frames,
    split_frames,
)
from parsl.executors.high_throughput.interchange.manager import Manager
from parsl.executors.high_throughput.wire.protocol import DONE, ManagerJoined, Result, Results
from tests.executors.high_throughput.interchange.fakes import FakeDriver, FakeLink, register

SMALL = Result(1, DONE, b"inline")
LARGE = Result(2, DONE, b"", (3, 2))
OTHER = Result(3, DONE, b"", (1,))


@pytest.fixture
def driver() -> FakeDriver:
    return FakeDriver()


@pytest.fixture
def manager() -> Manager:
    return Manager(register("m1"), FakeLink(), 0.0)


def finish(driver: FakeDriver, manager: Manager, serial: int, frames: tuple[bytes, ...] = ()) -> None:
    manager.received = serial
    result = Result(serial, DONE, b"", tuple(map(len, frames)))
    driver.link.deliver([result], frames, sender=manager)


def test_a_manager_is_known_to_the_driver_once_it_is_written(driver: FakeDriver, manager: Manager) -> None:
    driver.link.announce(manager, ManagerJoined(manager.info(0.0)))
    assert driver.link.announced
    assert driver.link.flush(0.0) == [manager]
    assert not driver.link.announced
    assert driver.link.flush(0.0) == []
    [message] = driver.received()
    assert isinstance(message, ManagerJoined)


def test_results_travel_together_and_are_acknowledged_later(driver: FakeDriver, manager: Manager) -> None:
    finish(driver, manager, 1)
    finish(driver, manager, 2)
    assert driver.link.due_s == float("inf")
    [message] = driver.messages(10.0)
    assert isinstance(message, Results)
    assert [result.id for result in message.results] == [1, 2]
    assert manager.written == 2
    assert driver.link.due_s == 10.0 + ACKNOWLEDGE_AFTER_S
    assert driver.link.take_unacknowledged() == [manager]
    assert driver.link.due_s == float("inf")


def test_tasks_carry_the_acknowledgement(driver: FakeDriver, manager: Manager) -> None:
    finish(driver, manager, 1)
    driver.link.flush(0.0)
    driver.link.acknowledged(manager)
    assert driver.link.take_unacknowledged() == []


def test_results_with_frames_are_acknowledged_at_once(driver: FakeDriver, manager: Manager) -> None:
    finish(driver, manager, 1, (b"large",))
    driver.link.flush(7.0)
    assert driver.link.due_s == 7.0


def test_a_lost_manager_gets_no_acknowledgement(driver: FakeDriver, manager: Manager) -> None:
    finish(driver, manager, 1)
    driver.link.flush(0.0)
    manager.is_gone = True
    assert driver.link.take_unacknowledged() == []


def test_nothing_counts_as_written_before_the_driver_reads(driver: FakeDriver, manager: Manager) -> None:
    driver.link.deliver([Result(1, DONE, b"", (1 << 24,))], [bytes(1 << 24)], sender=manager)
    manager.received = 1
    driver.link.announce(manager, ManagerJoined(manager.info(0.0)))
    assert driver.link.flush(0.0) == []
    assert manager.written == 0
    announced: list[Manager] = []
    while not announced:
        driver.received()
        announced = driver.link.flush(0.0)
    assert announced == [manager]
    assert manager.written == 1


def test_frames_are_split_by_the_sizes_in_the_results() -> None:
    assert split_frames([LARGE, SMALL, OTHER], [b"abc", b"de", b"f"]) == [[b"abc", b"de"], [], [b"f"]]
    assert split_frames([SMALL], []) == [()]


def test_frames_of_other_sizes_are_rejected() -> None:
    assert split_frames([LARGE], []) is None
    assert split_frames([LARGE], [b"abc"]) is None
    assert split_frames([LARGE], [b"abc", b"too long"]) is None
    assert split_frames([LARGE], [b"abc", b"de", b"one too many"]) is None
    assert split_frames([SMALL], [b"surplus"]) is None


def test_only_frames_of_kept_results_are_selected() -> None:
    results = [LARGE, SMALL, OTHER]
    parts = split_frames(results, [b"abc", b"de", b"f"])
    assert parts is not None
    assert select_frames([OTHER], results, parts) == [b"f"]
    assert select_frames([SMALL, LARGE], results, parts) == [b"abc", b"de"]
