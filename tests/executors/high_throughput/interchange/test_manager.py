"""Which managers the interchange admits, and when each gets a heartbeat."""

from __future__ import annotations

import pytest

from parsl.executors.high_throughput.interchange.manager import (
    AT_ONCE,
    PROBE_AGAIN_S,
    HeartbeatSchedule,
    Manager,
    check_registration,
)
from parsl.executors.high_throughput.wire.protocol import PROTOCOL_VERSION, Register
from parsl.executors.high_throughput.wire.settings import InterchangeSettings
from tests.executors.high_throughput.interchange.fakes import FakeLink, register

SETTINGS = InterchangeSettings(
    listener_fd=-1,
    endpoint="",
    local_socket="",
    socket_directory="",
    local_fd=-1,
    cert_dir="",
    spool="",
    log_file="",
    debug=False,
    heartbeat_period_s=1.0,
    heartbeat_threshold_s=2.0,
    selector="random",
    parsl_version="2026.1.1",
    python_version="3.11",
)


def introduction(
    *, protocol: int = PROTOCOL_VERSION, parsl: str = "2026.1.1", python: str = "3.11"
) -> Register:
    return Register(protocol, "m1", parsl, python, "x1c0", "7", 1, 4, 4)


def test_a_manager_of_the_drivers_version_is_admitted_while_there_is_room() -> None:
    assert check_registration(introduction(), SETTINGS, managers=9, max_managers=10) is None


@pytest.mark.parametrize("python", ["3.11.0", "3.11.14", "3.11.0rc1"])
def test_a_manager_may_run_another_patch_release_of_python(python: str) -> None:
    assert check_registration(introduction(python=python), SETTINGS, managers=0, max_managers=10) is None


def test_a_manager_without_a_descriptor_is_refused_with_the_reason() -> None:
    refused = check_registration(introduction(), SETTINGS, managers=10, max_managers=10)
    assert refused is not None
    assert refused.reason.startswith("the interchange already has 10 managers")
    assert refused.report is None


def test_a_manager_of_another_environment_is_refused_and_reported() -> None:
    for other, theirs in (
        (introduction(python="3.12"), f"parsl 2026.1.1 (protocol {PROTOCOL_VERSION}) on Python 3.12"),
        (introduction(parsl="2025.9.9"), f"parsl 2025.9.9 (protocol {PROTOCOL_VERSION}) on Python 3.11"),
        (introduction(protocol=0), "parsl 2026.1.1 (protocol 0) on Python 3.11"),
    ):
        refused = check_registration(other, SETTINGS, managers=0, max_managers=10)
        assert refused is not None
        assert theirs in refused.reason
        assert refused.report is not None
        assert (refused.report.host, refused.report.block) == ("x1c0", "7")


def test_selectors_read_a_manager_like_a_dictionary() -> None:
    manager = Manager(register("a", 3, block="7"), FakeLink(), 5.0)
    assert (manager["block_id"], manager["worker_count"], manager["tasks"]) == ("7", 3, [])
    assert (manager.get("uid"), manager.get("nothing", 1)) == ("a", 1)
    assert "max_capacity" in manager
    assert "nothing" not in manager
    assert dict(manager).keys() == set(manager)
    with pytest.raises(KeyError):
        manager["nothing"]


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
