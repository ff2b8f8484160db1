"""The driver's knowledge of managers, without a request."""

from __future__ import annotations

import pytest

from parsl.executors.high_throughput.driver import activity
from parsl.executors.high_throughput.driver.activity import ManagerActivity
from parsl.executors.high_throughput.wire.protocol import ManagerInfo


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(activity, "time", clock)
    return clock


def info(name: str, block: str = "0", tasks: int = 0, idle_s: float = 0.0) -> ManagerInfo:
    return ManagerInfo(name, block, "host", 4, tasks, idle_s, True, False, "v", "3")


def test_nothing_is_known_at_first() -> None:
    found = ManagerActivity()
    assert (found.infos(), found.by_block()) == ([], {})


def test_the_managers_of_a_block_are_summed_up(clock: Clock) -> None:
    found = ManagerActivity()
    found.replace(
        [info("a", tasks=2), info("b", idle_s=5), info("c", "1", idle_s=7), info("d", "1", idle_s=9)]
    )
    clock.now += 10
    blocks = found.by_block()
    assert (blocks["0"].managers, blocks["0"].workers, blocks["0"].tasks, blocks["0"].idle_s) == (2, 8, 2, 0)
    assert blocks["1"].idle_s == 17


def test_a_manager_that_has_just_joined_has_not_been_idle_for_long(clock: Clock) -> None:
    found = ManagerActivity()
    clock.now += 3600
    found.joined(info("a"))
    clock.now += 1
    assert found.by_block()["0"].idle_s == 1


def test_no_task_lacks_time_just_after_a_manager_has_joined(clock: Clock) -> None:
    found = ManagerActivity()
    assert found.replace([info("a")], 2)
    assert not found.replace([info("a")], 2)
    assert found.without_time == 2
    found.joined(info("b"))
    assert found.without_time == 0
    assert found.replace([info("a"), info("b")], 1)


def test_a_manager_that_has_left_is_removed(clock: Clock) -> None:
    found = ManagerActivity()
    found.replace([info("a"), info("b")])
    found.gone("a")
    found.gone("never there")
    assert [known.manager for known in found.infos()] == ["b"]
    assert repr(found) == "<ManagerActivity managers=1>"
