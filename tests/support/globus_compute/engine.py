"""The engine of Globus Compute's endpoint on our workers; pytest runs this in the endpoint's environment."""

from __future__ import annotations

import ast
import uuid
from collections.abc import Callable, Iterator
from importlib import import_module, util
from pathlib import Path
from typing import Any

import pytest
from globus_compute_common import messagepack
from globus_compute_endpoint.engines import GlobusComputeEngine
from globus_compute_endpoint.engines.base import GCFuture
from globus_compute_sdk.serialize import ComputeSerializer

from parsl.executors.high_throughput.executor import HighThroughputExecutor
from tests.support.globus_compute.endpoint import started_engine, submit
from tests.support.waiting import wait_until

PACKAGES = ("globus_compute_endpoint", "globus_compute_sdk")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GlobusComputeEngine]:
    with started_engine(tmp_path_factory.mktemp("engine"), monitored=True) as engine:
        yield engine


def send(
    engine: GlobusComputeEngine, function: Callable[..., Any], *args: Any, resources: Any = None
) -> GCFuture:
    serde = ComputeSerializer()
    parts = [serde.serialize(function), serde.serialize(args), serde.serialize({})]
    return submit(engine, uuid.uuid4(), serde.pack_buffers(parts), resources or {})


def result_of(future: GCFuture) -> Any:
    result = messagepack.unpack(future.result(60))
    assert not result.is_error, result.data
    return ComputeSerializer().deserialize(result.data)


def imports_of(package: str) -> Iterator[tuple[str, str]]:
    """Each module of Parsl that a package imports, and the name from it, which may be empty."""
    found = util.find_spec(package)
    assert found is not None
    for path in Path(str(found.submodule_search_locations[0])).rglob("*.py"):  # type: ignore[index]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "parsl":
                yield from ((node.module or "", name.name) for name in node.names)
            elif isinstance(node, ast.Import):
                yield from ((each.name, "") for each in node.names if each.name.partition(".")[0] == "parsl")


def test_all_imports_of_parsl_work() -> None:
    imports = sorted({each for package in PACKAGES for each in imports_of(package)})
    assert ("parsl.executors.high_throughput.executor", "HighThroughputExecutor") in imports
    for module, name in imports:
        found = import_module(module)
        assert not name or hasattr(found, name) or import_module(f"{module}.{name}"), (module, name)


def test_the_workers_are_ours(engine: GlobusComputeEngine) -> None:
    assert type(engine.executor) is HighThroughputExecutor
    assert result_of(send(engine, divmod, 7, 2)) == (3, 1)


def test_many_tasks(engine: GlobusComputeEngine) -> None:
    futures = [send(engine, abs, -number) for number in range(200)]
    assert [result_of(future) for future in futures] == list(range(200))


def test_an_error_is_a_report(engine: GlobusComputeEngine) -> None:
    result = messagepack.unpack(send(engine, divmod, 1, 0).result(60))
    assert result.is_error
    assert "ZeroDivisionError" in result.data


def test_an_unknown_key_is_refused(engine: GlobusComputeEngine) -> None:
    result = messagepack.unpack(send(engine, abs, -1, resources={"no_such_key": 1}).result(60))
    assert "InvalidResourceSpecification" in result.data


def test_the_status_report_has_the_workers(engine: GlobusComputeEngine) -> None:
    result_of(send(engine, abs, -1))
    state = engine.get_status_report().global_state
    assert (state["managers"], state["active_managers"], state["total_workers"]) == (1, 1, 2)
    assert state["total_tasks"] > 0
    [[manager]] = state["node_info"].values()
    assert manager["endpoint_version"] is not None
    assert engine.executor_exception is None


def test_the_endpoint_learns_where_a_task_runs(engine: GlobusComputeEngine, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    future = send(engine, _wait_for, str(gate))
    wait_until(lambda: future.block_id is not None, 60)
    assert future.job_id == engine.executor.blocks_to_job_id[future.block_id]
    gate.touch()
    assert result_of(future) == str(gate)


def _wait_for(path: str) -> str:
    import os
    import time

    while not os.path.exists(path):
        time.sleep(0.01)
    return path
