"""A kernel for tests of apps, with each executor that must behave alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from parsl.config import Config
from parsl.dataflow.dflow import DataFlowKernel
from parsl.executors import HighThroughputExecutor, ThreadPoolExecutor
from parsl.providers import LocalProvider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Apps must behave alike on all of them.
EXECUTORS = ["threads", "htex"]


def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(label="tasks", max_threads=4)


def _htex() -> HighThroughputExecutor:
    return HighThroughputExecutor(
        label="tasks", max_workers_per_node=4, cores_per_worker=0.1, provider=LocalProvider()
    )


_MAKERS: dict[str, Any] = {"threads": _threads, "htex": _htex}


@pytest.fixture(scope="module", params=EXECUTORS)
def kernel(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DataFlowKernel]:
    """A kernel with four workers. It is not loaded: create apps with ``data_flow_kernel=kernel``."""
    run_dir = tmp_path_factory.mktemp(request.param)
    config = Config(executors=[_MAKERS[request.param]()], strategy="none", run_dir=str(run_dir))
    with DataFlowKernel(config) as dfk:
        yield dfk


@pytest.fixture
def threads_config(tmp_path: Path) -> Config:
    """A configuration to load, of a few threads."""
    return Config(executors=[_threads()], strategy="none", run_dir=str(tmp_path / "runinfo"))
