"""The conformance suite with Work Queue's own manager and workers."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from parsl.executors import WorkQueueExecutor
from parsl.providers import LocalProvider
from parsl.testing.executor_conformance import ExecutorConformance
from tests.support.cctools import needs_work_queue

pytestmark = [pytest.mark.slow, pytest.mark.linux, needs_work_queue]


class TestWorkQueue(ExecutorConformance):
    cancels_running = True
    many = 30
    unsatisfiable: ClassVar = {"cores": 100_000, "memory": 1, "disk": 1}

    def make_executor(self, directory: Path) -> WorkQueueExecutor:
        return WorkQueueExecutor(
            address="127.0.0.1",
            worker_options="--cores=1",
            provider=LocalProvider(init_blocks=self.workers, max_blocks=self.workers),
        )
