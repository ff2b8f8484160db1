"""Scaling in single steps, with an executor that has only the public interface."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from parsl.jobs.states import JobState, JobStatus
from parsl.jobs.strategy import Strategy  # type: ignore[attr-defined]
from parsl.validate import ParameterError


class Executor:
    """Has blocks that run at once, and loses the oldest ones when it scales in."""

    label = "some"
    bad_state_is_set = False

    def __init__(self, workers_per_node: int | None = 2, tasks: int = 0, init_blocks: int = 0) -> None:
        self.provider = SimpleNamespace(
            init_blocks=init_blocks, min_blocks=0, max_blocks=4, nodes_per_block=1, parallelism=1.0
        )
        self.workers_per_node = workers_per_node
        self.tasks = tasks
        self.status_facade: dict[str, JobStatus] = {}

    def outstanding(self) -> int:
        return self.tasks

    def scale_out_facade(self, n: int) -> None:
        for number in range(len(self.status_facade), len(self.status_facade) + n):
            self.status_facade[str(number)] = JobStatus(JobState.RUNNING)

    def scale_in_facade(self, n: int, max_idletime: float | None = None) -> None:
        for block in [block for block, status in self.status_facade.items() if not status.terminal][:n]:
            self.status_facade[block] = JobStatus(JobState.CANCELLED)

    @property
    def running(self) -> int:
        return sum(not status.terminal for status in self.status_facade.values())


def after_steps(executor: Any, strategy: str | None, count: int = 4) -> int:
    scaling = Strategy(strategy=strategy, max_idletime=0)
    scaling.add_executors([executor])
    for _ in range(count):
        scaling.strategize([executor])
    return int(executor.running)


@pytest.mark.parametrize("strategy", ["simple", "htex_auto_scale"])
@pytest.mark.parametrize(("tasks", "workers", "blocks"), [(14, 48, 1), (3, 2, 2), (100, 1, 4), (0, 1, 0)])
def test_the_number_of_blocks_follows_the_tasks(strategy: str, tasks: int, workers: int, blocks: int) -> None:
    assert after_steps(Executor(workers, tasks), strategy) == blocks


@pytest.mark.parametrize("strategy", ["simple", "htex_auto_scale"])
def test_idle_blocks_are_cancelled(strategy: str) -> None:
    executor = Executor()
    executor.scale_out_facade(3)
    assert after_steps(executor, strategy) == 0


@pytest.mark.parametrize("strategy", [None, "none"])
@pytest.mark.parametrize("first", [0, 2])
def test_without_a_strategy_there_are_only_the_first_blocks(strategy: str | None, first: int) -> None:
    assert after_steps(Executor(tasks=10, init_blocks=first), strategy) == first


def test_a_failed_executor_stays_as_it_is() -> None:
    executor = Executor(tasks=10)
    executor.bad_state_is_set = True
    assert after_steps(executor, "simple") == 0


def test_an_unknown_strategy_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ParameterError, match=r"'foo'.*'htex_auto_scale'"):
        Strategy(strategy="foo", max_idletime=1)
