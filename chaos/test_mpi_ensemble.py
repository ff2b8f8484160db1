"""MPI tasks on four nodes, with failures, timeouts, cancellations and killed workers."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from parsl.executors.high_throughput.errors import WorkerLost
from tests.executors.high_throughput.test_mpi_executor import (
    check_random_tasks,
    start_mpi,
    start_program_and_die,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.system.mpi import MpiRun

__all__ = ["start_mpi"]

TASKS = 1000
DEATHS = 200


def test_nodes_run_one_task_at_a_time_and_are_released(
    start_mpi: Callable[..., MpiRun], request: pytest.FixtureRequest
) -> None:
    check_random_tasks(start_mpi(), TASKS, request.config.getoption("--seed"))


def test_a_node_is_released_without_programs_that_were_just_starting(
    start_mpi: Callable[..., MpiRun], request: pytest.FixtureRequest
) -> None:
    """Workers are killed while what they have started is forking, becoming a program, or already running."""
    chance = random.Random(request.config.getoption("--seed"))
    run = start_mpi()
    command = run.ranks(100)
    futures = [run.call(start_program_and_die, command, chance.uniform(0.05, 0.6)) for _ in range(DEATHS)]
    for future in futures:
        with pytest.raises(WorkerLost):
            future.result(timeout=300)
    assert run.shell(run.ranks(0), nodes=4).result(timeout=60) == 0
    assert run.overlaps() == []
