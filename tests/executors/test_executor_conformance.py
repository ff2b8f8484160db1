"""The suite of ``parsl.testing`` with the executors that need no other engine."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, ClassVar

import pytest

from parsl.executors import ConcurrentExecutor, HighThroughputExecutor, MPIExecutor, ThreadPoolExecutor
from parsl.executors.base import ParslExecutor
from parsl.launchers import SimpleLauncher
from parsl.providers import LocalProvider
from parsl.testing.executor_conformance import ExecutorConformance


class TestThreads(ExecutorConformance):
    pickles = False
    survives_lost_workers = False

    def make_executor(self, directory: Path) -> ParslExecutor:
        return ThreadPoolExecutor(max_threads=self.workers)


@pytest.mark.slow
class TestHighThroughput(ExecutorConformance):
    cancels_running = True
    prioritizes = True

    def make_executor(self, directory: Path) -> ParslExecutor:
        return HighThroughputExecutor(max_workers_per_node=self.workers, cores_per_worker=0.1)


def _process_pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(2, mp_context=get_context("spawn"))


class TestProcessPool(ExecutorConformance):
    def make_executor(self, directory: Path) -> ParslExecutor:
        return ConcurrentExecutor(_process_pool)


@pytest.mark.slow
@pytest.mark.mpi
class TestMPI(ExecutorConformance):
    cancels_running = True
    prioritizes = True
    specification: ClassVar[dict[str, Any] | None] = {"num_nodes": 1, "ranks_per_node": 1}
    unsatisfiable: ClassVar[dict[str, Any] | None] = {"num_nodes": 100, "ranks_per_node": 1}
    workers = 1

    def make_executor(self, directory: Path) -> ParslExecutor:
        return MPIExecutor(provider=LocalProvider(launcher=SimpleLauncher()), mpi_launcher="mpiexec")
