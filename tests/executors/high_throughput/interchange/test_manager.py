"""The interchange admits only managers of its driver's version, and only as many as it can connect to."""

from __future__ import annotations

from parsl.executors.high_throughput.interchange.manager import check_registration
from parsl.executors.high_throughput.wire.protocol import PROTOCOL_VERSION, Register
from parsl.executors.high_throughput.wire.settings import InterchangeSettings

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


def test_a_manager_without_a_descriptor_is_refused_with_the_reason() -> None:
    refused = check_registration(introduction(), SETTINGS, managers=10, max_managers=10)
    assert refused is not None
    assert refused.reason.startswith("the interchange has 10 managers already")
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
