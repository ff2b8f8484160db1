"""GoogleCloudProvider in the suite of all providers, with real workers on the machines of the stand-in."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from parsl import python_app
from parsl.providers import GoogleCloudProvider
from parsl.testing.executor_conformance import add, wait_until
from tests.providers.tasks_in_blocks import TasksInBlocks
from tests.support.clouds.conformance import MachineConformance
from tests.support.clouds.google_compute import IMAGE_FAMILY, IMAGE_PROJECT, PROJECT, REGION, GoogleCompute
from tests.support.clouds.google_server import rate_limit, server_error


class _ImpatientProvider(GoogleCloudProvider):
    status_polling_interval = 1


class OnComputeEngine:
    """Makes the provider."""

    @pytest.fixture(autouse=True)
    def google(self, tmp_path):
        (tmp_path / "machines").mkdir()
        service = GoogleCompute(tmp_path / "machines")
        service.server.write_key_file(tmp_path / "key.json")
        self.service = service
        yield service
        service.close()

    def arguments(self, directory):
        return {
            "project_id": PROJECT,
            "key_file": str(directory / "key.json"),
            "region": REGION,
            "os_project": IMAGE_PROJECT,
            "os_family": IMAGE_FAMILY,
            "api_endpoint": self.service.server.address,
            "spot": True,
            **self.limits,
        }

    def make_provider(self, directory):
        return _ImpatientProvider(**self.arguments(directory))


@pytest.mark.slow
class TestTasks(OnComputeEngine, TasksInBlocks):
    pass


@pytest.mark.slow
class TestGoogleCloudProvider(OnComputeEngine, MachineConformance):
    def remaining(self, directory):
        return [*self.service.running(), *self.service.host.running()]

    def lose(self, job_id):
        self.service.preempt(f"{job_id}-0")

    @contextmanager
    def faults(self, kind):
        problem = rate_limit() if kind == "throttling" else server_error()
        self.service.server.fail_every(3, problem)
        yield
        self.service.server.fail_every(0, problem)

    def test_a_block_of_two_machines(self, load, tmp_path, monkeypatch):
        monkeypatch.setattr(self, "limits", {**self.limits, "nodes_per_block": 2})
        executor = load(strategy="none")
        wait_until(lambda: len(executor.connected_managers()) == 2)
        app = python_app(add)
        assert [app(number, b=1).result() for number in range(4)] == [1, 2, 3, 4]
        first, second = sorted(self.service.running())
        assert (first[-2:], second[-2:]) == ("-0", "-1")

    def driver_code(self, directory):
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.arguments(directory).items())
        return (
            f"from parsl.providers import GoogleCloudProvider\nprovider = GoogleCloudProvider({arguments})\n"
            "provider.certain_looks = 2"
        )
