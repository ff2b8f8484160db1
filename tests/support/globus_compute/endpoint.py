"""Run a command next to an endpoint of Globus Compute whose engine uses our workers, and a stand-in for its
web service: ``python -m tests.support.globus_compute.endpoint DIRECTORY COMMAND...``, in own namespaces.
"""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from globus_compute_common import messagepack
from globus_compute_common.messagepack.message_types import Task
from globus_compute_endpoint.engines import GlobusComputeEngine
from globus_compute_endpoint.engines.base import GCFuture

from parsl.providers import LocalProvider
from tests.support.globus_compute.service import Broker, Service

ENDPOINT_ID = uuid.UUID("11111111-2222-4444-8888-000000000000")


@contextmanager
def started_engine(directory: Path, **options: Any) -> Iterator[GlobusComputeEngine]:
    """The endpoint's engine with our HighThroughputExecutor, one block and two workers."""
    engine = GlobusComputeEngine(
        address="127.0.0.1",
        max_workers_per_node=2,
        cores_per_worker=0.1,
        provider=LocalProvider(init_blocks=1, min_blocks=1, max_blocks=1),
        job_status_kwargs={"strategy_period": 0.5},
    )
    engine.start(endpoint_id=ENDPOINT_ID, run_dir=str(directory), **options)
    try:
        yield engine
    finally:
        engine.shutdown()


def submit(engine: GlobusComputeEngine, task_id: uuid.UUID, task: str, resources: dict[str, Any]) -> GCFuture:
    """Submit a task to an engine as the endpoint does, and return its future."""
    future = GCFuture(task_id)
    engine.submit(future, messagepack.pack(Task(task_id=task_id, task_buffer=task)), resources, [])
    return future


def main() -> int:
    """Run the command, and return its exit code."""
    directory, *command = sys.argv[1:]
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    Path(directory).mkdir(exist_ok=True)
    broker = Broker(Path(directory, "rabbitmq"))
    with started_engine(Path(directory)) as engine:

        def run(task_id: uuid.UUID, task: str, resources: dict[str, Any]) -> None:
            future = submit(engine, task_id, task, resources)
            future.add_done_callback(lambda done: service.ended(task_id, done.result()))

        service = Service(broker, run)
        try:
            code = subprocess.run(
                command, env={**os.environ, "GLOBUS_SDK_ENVIRONMENT": "local"}, check=False
            ).returncode
        finally:
            service.stop()
            broker.stop()
    return code


if __name__ == "__main__":
    sys.exit(main())
