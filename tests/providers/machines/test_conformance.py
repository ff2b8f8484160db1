"""The base of all clouds passes the suite of providers."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from parsl.providers.api.failure import FailureKind
from parsl.providers.machines.cloud import End
from tests.support.clouds.conformance import MachineConformance
from tests.support.clouds.memory_cloud import MemoryCloud, MemoryProvider


@pytest.mark.slow
class TestMachineProvider(MachineConformance):
    injectable = ("errors",)

    @pytest.fixture(autouse=True)
    def _memory(self, tmp_path: Path) -> Iterator[None]:
        self.memory = MemoryCloud(tmp_path / "machines")
        yield
        self.memory.host.close()

    def make_provider(self, directory: Path) -> MemoryProvider:
        return MemoryProvider(self.memory, **self.limits)

    def remaining(self, directory: Path) -> Collection[object]:
        return self.memory.host.running()

    def lose(self, job_id: object) -> None:
        (lost,) = [one.machine_id for one in self.memory.known.values() if one.block == job_id]
        self.memory.end(lost, End.RECLAIMED, "reclaimed by the test")

    @contextmanager
    def faults(self, kind: str) -> Iterator[None]:
        self.memory.failing["list"] = FailureKind.TRANSIENT
        yield
        self.memory.failing.clear()
