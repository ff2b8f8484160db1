"""Large results stay in the cluster of Dask until they are needed elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from parsl.executors import DaskExecutor
from tests.support.kept_results import KeepsResults


@pytest.mark.slow
class TestDask(KeepsResults):
    @pytest.fixture(autouse=True)
    def use(self, cluster: Any) -> None:
        self.cluster = cluster

    def make_executor(self) -> DaskExecutor:
        return DaskExecutor(self.cluster, label="keeping")
