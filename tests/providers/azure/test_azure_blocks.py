"""Blocks on machines of the stand-in for Azure, with real workers and tasks."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from parsl.providers import AzureProvider
from tests.providers.azure.conftest import VM_REFERENCE
from tests.providers.tasks_in_blocks import TasksInBlocks
from tests.support.clouds.conformance import MachineConformance
from tests.support.clouds.processes import ProcessHost

_DRIVER = """
import os
os.environ.update({environment!r})
from parsl.providers import AzureProvider
provider = AzureProvider(
    {vm_reference!r}, key_file={key_file!r}, endpoint={endpoint!r}, max_blocks=1, price_per_hour=1
)
provider.certain_looks = 2
"""


class PolledOften(AzureProvider):
    """Polls faster than a service would like."""

    status_polling_interval = 1


@pytest.fixture
def host(tmp_path):
    return ProcessHost(tmp_path / "machines")


class OnAzure:
    """Makes the provider."""

    @pytest.fixture(autouse=True)
    def service(self, stand_in):
        stand_in.account.boot_reads = 0
        self.stand_in = stand_in

    def make_provider(self, directory):
        return PolledOften(
            VM_REFERENCE,
            **self.limits,
            key_file=str(self.stand_in.key_file),
            endpoint=self.stand_in.url,
            price_per_hour=1,
            spot=True,
            walltime="00:10:00",
        )


@pytest.mark.slow
class TestTasks(OnAzure, TasksInBlocks):
    pass


@pytest.mark.slow
class TestAzureProvider(OnAzure, MachineConformance):
    def remaining(self, directory):
        return [*self.stand_in.machine_names(), *self.stand_in.account.host.running()]

    def lose(self, job_id):
        for name in self.stand_in.machine_names():
            if name.startswith(f"{job_id}-"):
                self.stand_in.account.evict(name)

    @contextmanager
    def faults(self, kind):
        (self.stand_in.throttle if kind == "throttling" else self.stand_in.fail)(3)
        yield
        self.stand_in.faults.clear()

    def driver_code(self, directory):
        return _DRIVER.format(
            environment=self.stand_in.environment(),
            vm_reference=VM_REFERENCE,
            key_file=str(self.stand_in.key_file),
            endpoint=self.stand_in.url,
        )
