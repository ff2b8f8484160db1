"""``parsl doctor`` and ``parsl clouds`` with a configuration for Compute Engine."""

from __future__ import annotations

import pytest

from parsl.cli.main import main
from parsl.providers.googlecloud.client import Access
from parsl.providers.googlecloud.compute import ComputeEngine
from parsl.providers.googlecloud.instance import Fleet, InstanceSettings
from parsl.providers.machines import sweep
from parsl.providers.machines.cloud import MachineSpec
from tests.support.clouds.google_compute import IMAGE_FAMILY, IMAGE_PROJECT, PROJECT, REGION
from tests.support.clouds.google_server import Problem

CONFIG = """
from parsl import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import GoogleCloudProvider

provider = GoogleCloudProvider({arguments})
config = Config(executors=[HighThroughputExecutor(label="cloud", provider=provider)])
"""


@pytest.fixture
def config(google, key_file, tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "PAUSE_S", 0.01)

    def write(**changes):
        arguments = {
            "project_id": PROJECT,
            "key_file": key_file,
            "region": REGION,
            "os_project": IMAGE_PROJECT,
            "os_family": IMAGE_FAMILY,
            "max_blocks": 20,
            "api_endpoint": google.server.address,
        }
        shown = ", ".join(f"{name}={value!r}" for name, value in {**arguments, **changes}.items())
        path = tmp_path / "config.py"
        path.write_text(CONFIG.format(arguments=shown))
        return str(path)

    return write


def test_doctor_checks_the_service_and_estimates_the_cost(google, config, capsys):
    google.quotas["CPUS"] = 12
    main(["doctor", config()])
    out = " ".join(capsys.readouterr().out.split())
    assert "The newest image of debian-cloud/debian-12 is debian-12-v20261110." in out
    assert "Quota 'CPUS': limit 12, used 0; a block needs 1: 12 of max_blocks=20 can start now." in out
    assert "0.95 dollars an hour" in out
    assert google.inserted == []


def test_doctor_reports_a_mistake_in_the_services_words(google, config, capsys):
    assert main(["doctor", config(instance_type="n1-huge")]) != 0
    out = " ".join(capsys.readouterr().out.split())
    assert "machineTypes/n1-huge' was not found" in out


def test_list_and_sweep_with_stopped_machines(google, config, key_file, capsys):
    machines = InstanceSettings(machine_type="n1-standard-1", region=REGION)
    fleet = Fleet(PROJECT, REGION, IMAGE_PROJECT, IMAGE_FAMILY, machines)
    engine = ComputeEngine(Access(key_file, api_endpoint=google.server.address), fleet)
    engine.create([MachineSpec(run, f"parsl-{run}-0", 0, "true", 60) for run in ("one", "two")])
    google.power_off("parsl-one-0-0")
    assert main(["clouds", "list", config()]) == 0
    title, *machines = capsys.readouterr().out.splitlines()
    assert title == f"Google Compute Engine {PROJECT}: 2 machines of 2 runs"
    assert all(machine.endswith(" s old") for machine in machines)
    assert main(["clouds", "sweep", config(), "one", "--yes"]) == 0
    assert "run one: terminated parsl-one-0-0" in capsys.readouterr().out
    assert google.running() == ["parsl-two-0-0"]


def test_clouds_needs_no_right_to_list_zones(google, config, capsys):
    problem = Problem(403, "forbidden", "Required 'compute.zones.list' permission for 'projects/lab-1'")
    google.server.fail(problem, "GET .*/zones$")
    assert main(["clouds", "list", config()]) == 0
    assert ": 0 machines of 0 runs" in capsys.readouterr().out
