"""A machine that deletes itself, with a real shell."""

from __future__ import annotations

import shutil

import pytest

from parsl.providers.machines.cloud import End, MachineSpec, MachineState
from tests.support.clouds.processes import ProcessHost
from tests.support.waiting import wait_until

NAME = "parsl-run-1-0-0"
SPEC = MachineSpec("run-1", "parsl-run-1-0", 0, "#!/bin/bash\nshutdown -h now\n", 3600)

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="machines delete themselves with curl")


@pytest.fixture
def host(tmp_path):
    return ProcessHost(tmp_path / "machines")


def test_a_machine_with_an_identity_deletes_itself(stand_in, make_provider):
    identity = (
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i"
    )
    cloud = make_provider(identity=identity).make_cloud()
    cloud.create([SPEC])
    wait_until(lambda: stand_in.machine_names() == [])
    assert ("DELETE", stand_in.account.ids[NAME]) in stand_in.requests
    (machine,) = cloud.list_run("run-1")
    assert (machine.state, machine.end) == (MachineState.ENDED, End.ITSELF)


def test_a_machine_that_may_not_delete_itself_shuts_down(stand_in, make_provider):
    stand_in.account.denied.add("Microsoft.Compute/virtualMachines/delete")
    cloud = make_provider(identity="/identity").make_cloud()
    cloud.create([SPEC])
    wait_until(lambda: not stand_in.account.host.running())
    assert "this machine could not delete itself" in stand_in.account.host.console(NAME)
