"""A thousand MPI tasks on four nodes, with failures, timeouts, cancellations and killed workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.executors.high_throughput.test_mpi_executor import check_random_tasks, start_mpi

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tests.system.mpi import MpiRun

__all__ = ["start_mpi"]


def test_nodes_have_one_task_at_a_time_and_come_back(
    start_mpi: Callable[..., MpiRun], request: pytest.FixtureRequest
) -> None:
    check_random_tasks(start_mpi(), count=1000, seed=request.config.getoption("--seed"))
