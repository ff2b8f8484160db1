"""The suite of ``parsl.testing`` with a cluster of Dask that is there already."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from parsl.executors import DaskExecutor
from parsl.testing.executor_conformance import ExecutorConformance

pytestmark = pytest.mark.slow


class TestDask(ExecutorConformance):
    prioritizes = True
    unsatisfiable: ClassVar = {"gpus": 99}

    @pytest.fixture
    def executor(self, cluster: Any) -> DaskExecutor:
        return DaskExecutor(cluster)
