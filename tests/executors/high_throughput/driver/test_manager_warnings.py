"""Warnings about managers, nodes and workers, each shown as often as it helps."""

from __future__ import annotations

import msgspec
import pytest

from parsl.executors.high_throughput.driver.manager_warnings import ManagerWarnings
from parsl.executors.high_throughput.errors import BadNodeWarning, ManagerRefusedWarning, WorkersWarning
from parsl.executors.high_throughput.wire.protocol import ManagerInfo, ManagerRefused, NodeChange


def info(block: str) -> ManagerInfo:
    return ManagerInfo("m", block, "x1c0", 2, 0, 0.0, True, False, "v", "3")


@pytest.fixture
def warnings() -> ManagerWarnings:
    return ManagerWarnings("htex")


def test_serious_changes_of_a_node_are_warnings(
    warnings: ManagerWarnings, recwarn: pytest.WarningsRecorder
) -> None:
    warnings.warn_of_node(NodeChange("n1", "Node n1 is set aside.", is_warning=True))
    warnings.warn_of_node(NodeChange("n1", "Node n1 is tried again.", is_warning=False))
    [warning] = recwarn.list
    assert warning.category is BadNodeWarning
    assert str(warning.message) == "Executor htex: Node n1 is set aside."


def test_too_few_workers_are_reported_once_for_each_block(
    warnings: ManagerWarnings, recwarn: pytest.WarningsRecorder
) -> None:
    for block in ("0", "0", "1", "0"):
        warnings.warn_of_workers(info(block), "12 workers are requested, but 2 run.")
    assert [(warning.category, str(warning.message)) for warning in recwarn.list] == [
        (WorkersWarning, f"Executor htex, block {block} on x1c0: 12 workers are requested, but 2 run.")
        for block in ("0", "1")
    ]


def test_a_block_with_less_time_than_a_task_needs_is_logged_once(
    warnings: ManagerWarnings, caplog: pytest.LogCaptureFixture
) -> None:
    late = msgspec.structs.replace(info("4"), ends_in_s=50.0)
    warnings.warn_of_time(late)
    for runtime_s in (10, 60, 20):
        warnings.note_runtime(runtime_s)
    for manager in (info("3"), late, late):
        warnings.warn_of_time(manager)
    [record] = caplog.records
    assert "block 4 has connected with 50 s left, but a task takes 60 s" in record.getMessage()


def test_a_refused_manager_is_reported_once(
    warnings: ManagerWarnings, recwarn: pytest.WarningsRecorder
) -> None:
    for _ in range(2):
        warnings.warn_of_refused(ManagerRefused("x1c0", "3", "parsl 2", "parsl 1"))
    [warning] = recwarn.list
    assert warning.category is ManagerRefusedWarning
    assert "block 3 on x1c0 runs parsl 1" in str(warning.message)
