"""The suite of ``parsl.testing`` with a real Ray."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from parsl.executors import RayExecutor
from parsl.executors.base import ParslExecutor
from parsl.testing.executor_conformance import ExecutorConformance


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
class TestRay(ExecutorConformance):
    cancels_running = True
    unsatisfiable: ClassVar[dict[str, Any] | None] = {"cores": 1000}

    def make_executor(self, directory: Path) -> ParslExecutor:
        return RayExecutor(address="auto")
