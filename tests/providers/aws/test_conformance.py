"""AWSProvider passes the suite of providers, with machines that run their user data."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from parsl.common.processes import environment_of, process_table
from parsl.providers import AWSProvider
from parsl.providers.aws.ec2 import Ec2
from tests.providers.tasks_in_blocks import TasksInBlocks
from tests.support.clouds.conformance import MachineConformance
from tests.support.clouds.ec2 import IMAGE, REGION, StandInEc2
from tests.support.waiting import wait_until

_DRIVER = """
import os
os.environ.update({environment!r})
from parsl.providers import AWSProvider
provider = AWSProvider({image!r}, None, region={region!r}, max_blocks=1)
provider.certain_looks = 2
"""


class OnEc2:
    """Makes the provider."""

    limits: ClassVar[dict[str, int]]

    @pytest.fixture(autouse=True)
    def _service(self, ec2: StandInEc2) -> None:
        self.ec2 = ec2

    def make_provider(self, directory: Path) -> AWSProvider:
        return AWSProvider(IMAGE, None, region=REGION, spot=True, **self.limits)


@pytest.mark.slow
class TestTasks(OnEc2, TasksInBlocks):
    pass


@pytest.mark.slow
class TestAWSProvider(OnEc2, MachineConformance):
    def remaining(self, directory: Path) -> Collection[object]:
        return [*self.ec2.instances(), *self.ec2.host.running()]

    def lose(self, job_id: object) -> None:
        for machine in Ec2(REGION).list_all_runs():
            if machine.block == job_id:
                self.ec2.reclaim(machine.machine_id)

    @contextmanager
    def faults(self, kind: str) -> Iterator[None]:
        numbers = itertools.count()
        answer = {
            "throttling": (503, "RequestLimitExceeded", "Request limit exceeded."),
            "errors": (500, "InternalError", "An internal error has occurred."),
        }[kind]
        self.ec2.fault = lambda action: answer if next(numbers) % 2 == 0 else None
        yield
        assert next(numbers) > 3
        self.ec2.fault = lambda action: None

    def test_a_killed_driver_leaves_nothing(self, tmp_path: Path) -> None:
        super().test_a_killed_driver_leaves_nothing(tmp_path)
        # The sweep looks a second time, for which it needs the service.
        wait_until(lambda: not self._processes())

    def _processes(self) -> list[int]:
        """Return the processes that know the address of the stand-in."""
        known = f"AWS_ENDPOINT_URL={self.ec2.environment['AWS_ENDPOINT_URL']}".encode()
        return [pid for pid in process_table() if known in (environment_of(pid) or ())]

    def driver_code(self, directory: Path) -> str:
        return _DRIVER.format(environment=self.ec2.environment, image=IMAGE, region=REGION)
