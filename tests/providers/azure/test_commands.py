"""``parsl doctor`` and ``parsl clouds`` with a configuration for Azure."""

from __future__ import annotations

import pytest

from parsl.cli.main import main
from parsl.providers.machines import sweep
from parsl.providers.machines.cloud import MachineSpec
from tests.providers.azure.conftest import VM_REFERENCE

CONFIG = """
from parsl import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import AzureProvider

provider = AzureProvider(
    {vm_reference!r}, key_file={key_file!r}, endpoint={endpoint!r}, max_blocks=5, price_per_hour=0.1
)
config = Config(executors=[HighThroughputExecutor(label="cloud", provider=provider)])
"""


@pytest.fixture
def config(stand_in, tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "PAUSE_S", 0.01)
    path = tmp_path / "config.py"
    values = {"key_file": str(stand_in.key_file), "endpoint": stand_in.url}
    path.write_text(CONFIG.format(vm_reference=VM_REFERENCE, **values))
    return str(path)


def test_clouds(stand_in, host, make_provider, config, capsys):
    stand_in.account.boot_reads = 0
    specs = [MachineSpec(run, f"parsl-{run}-0", 0, "#!/bin/bash\n", 60) for run in ("one", "two")]
    make_provider().make_cloud().create(specs)
    host.shut_down("parsl-one-0-0")
    assert main(["clouds", "list", config]) == 0
    title, *machines = capsys.readouterr().out.splitlines()
    assert title == "Azure parsl.group: 2 machines of 2 runs"
    assert all(machine.endswith(" s old") for machine in machines)
    assert main(["clouds", "sweep", config, "one", "--yes"]) == 0
    assert stand_in.machine_names() == ["parsl-two-0-0"]
    assert main(["clouds", "sweep", config, "--all", "--yes"]) == 0
    assert stand_in.machine_names() == []


def test_clouds_needs_no_right_to_look_at_the_group(stand_in, make_provider, config, capsys):
    make_provider().make_cloud().create([MachineSpec("one", "parsl-one-0", 0, "#!/bin/bash\n", 60)])
    stand_in.account.denied.add("Microsoft.Resources/subscriptions/resourceGroups/read")
    assert main(["clouds", "list", config]) == 0
    assert capsys.readouterr().out.startswith("Azure parsl.group: 1 machine of 1 run")


def test_a_group_that_does_not_exist_is_named(stand_in, config, capsys):
    with open(config, "a") as file:
        file.write("provider.group_name = 'typo'\n")
    assert main(["clouds", "list", config]) == 0
    title, reason = capsys.readouterr().out.splitlines()
    assert title == "Azure typo: 0 machines of 0 runs"
    assert "has no resource group yet; Parsl will make 'typo'" in reason


def test_doctor(stand_in, config, capsys):
    stand_in.account.limits["standardDSv5Family"] = 1
    assert main(["doctor", config]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "needs 2 cores, but the quota 'standardDSv5Family' in westus allows 1." in out
    assert "0.50 dollars an hour" in out
    assert {method for method, _ in stand_in.requests} == {"GET"}
