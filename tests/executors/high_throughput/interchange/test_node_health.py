"""Managers of a node that is set aside get no tasks, whatever they ask for; the driver is told."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from parsl.executors.high_throughput.interchange.bad_nodes import FIRST_PAUSE_S, MIN_LOSSES
from parsl.executors.high_throughput.interchange.manager_record import ManagerRecord
from parsl.executors.high_throughput.interchange.node_health import NodeHealth
from parsl.executors.high_throughput.interchange.restoration import Restoration
from parsl.executors.high_throughput.interchange.state import InterchangeState
from parsl.executors.high_throughput.manager_selector import RandomManagerSelector
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.protocol import (
    DONE,
    FAILED,
    Failure,
    NodeChange,
    NodeStanding,
    Register,
    Result,
    Task,
    failed,
)


class Machine:
    """Managers with two workers each, and an interchange's state."""

    def __init__(self, known: Sequence[NodeStanding] = ()) -> None:
        self.state = InterchangeState(RandomManagerSelector())
        self.told: list[NodeChange] = []
        self.care = NodeHealth(self.state, self.told.append, known)

    def join(self, name: str, host: str) -> ManagerRecord:
        register = Register(1, name, "v", "3", host, "0", 1, workers=2, capacity=2)
        record, _ = self.state.register(name.encode(), register, 0)
        self.care.registered(record)
        return record

    def lose(self, record: ManagerRecord, kind: str = protocol.WORKER_LOST) -> None:
        self.care.results(record, [failed(1, Failure(kind, "gone"))], 0)

    def spoil(self, bad: ManagerRecord, good: ManagerRecord, kind: str = protocol.WORKER_LOST) -> None:
        for _ in range(MIN_LOSSES):
            self.lose(bad, kind)
            self.care.results(good, [Result(1, DONE, b"")] * 1000, 0)

    def given(self, count: int) -> dict[str, int]:
        """Offer tasks. Returns: how many each manager gets."""
        self.state.add_tasks([Task(number, b"", b"") for number in range(count)])
        return {name.decode(): len(tasks) for name, tasks in self.state.match(0)}


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_managers_of_a_bad_node_get_nothing_and_those_that_come_neither(machine: Machine) -> None:
    bad, good = machine.join("m1", "bad"), machine.join("m2", "good")
    machine.spoil(bad, good)
    machine.join("m3", "bad")
    assert machine.given(10) == {"m2": 2}
    [news] = machine.told
    assert (news.host, news.is_warning) == ("bad", True)
    assert repr(machine.care) == "<NodeHealth <BadNodes aside=1 of 1 with losses>>"


def test_later_it_gets_one_task_and_after_that_as_many_as_it_wants(machine: Machine) -> None:
    bad, good = machine.join("m1", "bad"), machine.join("m2", "good")
    machine.spoil(bad, good)
    machine.care.look(FIRST_PAUSE_S)
    assert machine.given(10) == {"m1": 1, "m2": 2}
    machine.care.results(bad, [Result(1, DONE, b"")], FIRST_PAUSE_S)
    assert machine.given(0) == {"m1": 1}
    assert [news.is_warning for news in machine.told] == [True, False, False]


def test_it_is_used_again_when_no_other_is_left(machine: Machine) -> None:
    bad, good = machine.join("m1", "bad"), machine.join("m2", "good")
    machine.spoil(bad, good)
    machine.state.drain(b"m2")
    machine.care.look(0)
    assert machine.given(10) == {"m1": 2}


@pytest.mark.parametrize("kind", [protocol.TIMED_OUT, protocol.CANCELLED, protocol.OVER_MEMORY])
def test_what_is_the_tasks_own_doing_does_not_count(machine: Machine, kind: str) -> None:
    bad, good = machine.join("m1", "bad"), machine.join("m2", "good")
    machine.spoil(bad, good, kind)
    assert machine.told == []


def test_a_failure_that_cannot_be_read_does_not_count(machine: Machine) -> None:
    bad, good = machine.join("m1", "bad"), machine.join("m2", "good")
    for _ in range(MIN_LOSSES):
        machine.care.results(bad, [Result(1, FAILED, b"garbage")], 0)
        machine.care.results(good, [Result(1, DONE, b"")] * 1000, 0)
    assert machine.told == []


def test_another_interchange_knows_what_the_lost_one_has_told(machine: Machine) -> None:
    bad, good = machine.join("m1", "bad"), machine.join("m2", "good")
    machine.spoil(bad, good)
    [news] = machine.told
    assert news.standing == NodeStanding("bad", 1, FIRST_PAUSE_S)
    other = Machine([news.standing])
    other.state.restoration = Restoration({"m1": "0", "m2": "0"})
    other.join("m1", "bad")
    other.care.look(0)  # the other node is still to come
    other.state.restoration = None
    other.join("m2", "good")
    other.care.look(0)
    assert other.given(10) == {"m2": 2}
    assert other.told == []
