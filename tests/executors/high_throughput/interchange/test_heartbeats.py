"""Every manager gets a heartbeat in its turn; a connection reported as closed is probed first."""

from __future__ import annotations

from parsl.executors.high_throughput.interchange.heartbeats import AT_ONCE, PROBE_AGAIN_S, HeartbeatSchedule
from parsl.executors.high_throughput.interchange.manager import Manager
from tests.executors.high_throughput.interchange.fakes import FakeLink, register


def managers(count: int) -> list[Manager]:
    return [Manager(register(str(number)), FakeLink(), 0.0) for number in range(count)]


def test_all_managers_get_one_each_period_a_few_at_a_time() -> None:
    all_managers = managers(AT_ONCE + 3)
    schedule = HeartbeatSchedule(30.0, 100.0)
    assert schedule.due_s == 130.0
    assert schedule.take(all_managers, 129.0) == []
    assert schedule.take(all_managers, 130.0) == all_managers[:AT_ONCE]
    assert schedule.due_s < 0
    assert schedule.take(all_managers, 130.1) == all_managers[AT_ONCE:]
    assert schedule.due_s == 160.0


def test_a_closed_connection_is_probed_at_once_and_a_little_later() -> None:
    both = managers(2)
    schedule = HeartbeatSchedule(30.0, 0.0)
    schedule.probe(both[0], 1.0)
    assert repr(schedule) == "<HeartbeatSchedule waiting=1 probed=1>"
    assert schedule.take(both, 1.0) == both[:1]
    assert schedule.due_s == 1.0 + PROBE_AGAIN_S
    assert schedule.take(both, 1.0 + PROBE_AGAIN_S) == both[:1]
    assert schedule.due_s == 30.0


def test_a_probe_does_not_wait_behind_other_heartbeats() -> None:
    *all_managers, closed = managers(2 * AT_ONCE + 1)
    schedule = HeartbeatSchedule(1.0, 0.0)
    schedule.take(all_managers, 1.0)
    schedule.probe(closed, 1.0)
    assert schedule.take(all_managers, 1.0)[0] is closed


def test_a_lost_manager_gets_none() -> None:
    both = managers(2)
    schedule = HeartbeatSchedule(1.0, 0.0)
    schedule.probe(both[0], 0.0)
    both[0].is_gone = True
    assert schedule.take(both[1:], 1.0) == both[1:]
