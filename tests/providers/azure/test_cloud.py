"""Azure's calls, through the real client libraries."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from parsl.providers.api.failure import FailureKind
from parsl.providers.azure.cloud import reach
from parsl.providers.azure.prices import fetch_price
from parsl.providers.machines.cloud import Created, End, MachineSpec, MachineState, Refused
from parsl.providers.machines.sweep import sweep
from tests.support.clouds.azure_account import ServiceError

RUN = "run-1"


def spec(number: int = 0, run: str = RUN) -> MachineSpec:
    return MachineSpec(run, f"parsl-{run}-{number}", 0, "#!/bin/bash\n", 3600, {"team": "blue"})


@pytest.fixture
def cloud(make_provider):
    return make_provider().make_cloud()


def states(cloud, run: str = RUN):
    return {machine.machine_id: (machine.state, machine.end) for machine in cloud.list_run(run)}


def test_a_machine_is_created_listed_and_deleted(stand_in, cloud):
    assert cloud.create([spec(0), spec(1)]) == [Created("parsl-run-1-0-0"), Created("parsl-run-1-1-0")]
    assert {state for state, _ in states(cloud).values()} == {MachineState.STARTING}
    assert {state for state, _ in states(cloud).values()} == {MachineState.RUNNING}
    first = cloud.list_run(RUN)[0]
    assert (first.run, first.block, first.node) == (RUN, "parsl-run-1-0", 0)
    cloud.terminate(["parsl-run-1-0-0"])
    assert states(cloud)["parsl-run-1-0-0"] == (MachineState.ENDED, End.REQUESTED)
    assert stand_in.machine_names() == ["parsl-run-1-1-0"]
    assert stand_in.account.orphans == []


def test_a_repeated_request_creates_no_second_machine(stand_in, cloud):
    cloud.create([spec()])
    cloud.create([spec()])
    assert stand_in.machine_names() == ["parsl-run-1-0-0"]


def test_disk_and_interface_go_with_the_machine_and_there_is_no_public_address(stand_in, cloud):
    cloud.create([spec()])
    (machine,) = stand_in.account.virtual_machines.values()
    assert machine.body["tags"] == {
        "team": "blue",
        "parsl-run": RUN,
        "parsl-block": "parsl-run-1-0",
        "parsl-node": "0",
    }
    assert "publicIPAddressConfiguration" not in str(machine.body)
    linux = machine.body["properties"]["osProfile"]["linuxConfiguration"]
    assert linux["disablePasswordAuthentication"] is True
    assert linux["ssh"]["publicKeys"][0]["keyData"].startswith("ssh-rsa ")


def test_machines_of_all_pages_and_of_no_other_run(stand_in, cloud):
    stand_in.page_size = 2
    cloud.create([spec(number) for number in range(5)])
    cloud.create([spec(run="run-2")])
    assert len(cloud.list_run(RUN)) == 5
    assert len(cloud.list_run("run-2")) == 1
    assert len(cloud.list_all_runs()) == 6
    assert cloud.list_run("run-3") == []


@pytest.mark.parametrize("ids", [[], [""], "parsl-run-1-0-0"])
def test_no_ids_are_not_all_ids(stand_in, cloud, ids):
    cloud.create([spec()])
    with pytest.raises(ValueError, match="at least one id"):
        cloud.terminate(ids)
    assert stand_in.machine_names() == ["parsl-run-1-0-0"]


def test_an_unknown_machine_is_no_error(cloud):
    cloud.create([spec()])
    cloud.terminate(["never-existed"])


def test_a_machine_that_has_shut_itself_down_is_deleted(stand_in, cloud, host):
    stand_in.account.boot_reads = 0
    cloud.create([spec()])
    assert states(cloud) == {"parsl-run-1-0-0": (MachineState.RUNNING, None)}
    host.shut_down("parsl-run-1-0-0", "finished")
    assert states(cloud) == {"parsl-run-1-0-0": (MachineState.ENDED, End.ITSELF)}
    assert stand_in.machine_names() == []
    assert stand_in.account.orphans == []
    assert states(cloud) == {"parsl-run-1-0-0": (MachineState.ENDED, End.ITSELF)}
    assert cloud.console_output("parsl-run-1-0-0") == "finished"


def test_a_stopped_machine_is_billed_and_so_counts_as_existing(stand_in, cloud, host):
    stand_in.account.boot_reads = 0
    cloud.create([spec()])
    host.shut_down("parsl-run-1-0-0")
    (machine,) = cloud.list_all_runs()
    assert machine.state is MachineState.RUNNING
    assert "shut down" in machine.reason


def test_a_deallocated_machine_has_ended_and_is_deleted_as_its_disk_is_billed(stand_in, cloud, host):
    stand_in.account.boot_reads = 0
    cloud.create([spec()])
    host.kill("parsl-run-1-0-0")
    stand_in.account.virtual_machines["parsl-run-1-0-0"].is_deallocated = True
    (listed,) = cloud.list_all_runs()
    assert "deallocated: delete it" in listed.reason
    (machine,) = cloud.list_run(RUN)
    assert (machine.state, machine.end) == (MachineState.ENDED, End.REQUESTED)
    assert "deallocated" in machine.reason
    assert stand_in.machine_names() == []


def test_an_evicted_spot_machine_is_reclaimed(stand_in, make_provider):
    cloud = make_provider(spot=True, spot_max_price=0.05).make_cloud()
    cloud.create([spec()])
    (machine,) = stand_in.account.virtual_machines.values()
    assert machine.body["properties"]["priority"] == "Spot"
    assert machine.body["properties"]["evictionPolicy"] == "Delete"
    assert machine.body["properties"]["billingProfile"] == {"maxPrice": 0.05}
    stand_in.account.evict("parsl-run-1-0-0")
    assert states(cloud) == {"parsl-run-1-0-0": (MachineState.ENDED, End.RECLAIMED)}


def test_a_spot_machine_that_can_delete_itself_has_done_so_at_its_walltime(stand_in, make_provider):
    provider = make_provider(spot=True, identity="/identity")
    provider.clock = lambda: now_s
    cloud, now_s = provider.make_cloud(), 100.0
    cloud.create([spec(0), spec(1)])
    stand_in.account.evict("parsl-run-1-0-0")
    cloud.list_run(RUN)
    now_s += 3599
    stand_in.account.evict("parsl-run-1-1-0")
    ends = {name: end for name, (_, end) in states(cloud).items()}
    assert ends == {"parsl-run-1-0-0": End.RECLAIMED, "parsl-run-1-1-0": End.ITSELF}


def test_a_machine_deleted_by_others_is_gone(stand_in, cloud):
    cloud.create([spec()])
    stand_in.account.delete("parsl-run-1-0-0")
    assert states(cloud) == {"parsl-run-1-0-0": (MachineState.ENDED, End.REQUESTED)}


def test_a_machine_without_a_host_ends_with_the_words_of_the_service(stand_in, cloud):
    words = "Allocation failed. We do not have sufficient capacity for the requested VM size in this region."
    stand_in.account.allocation_failure = ("AllocationFailed", words)
    stand_in.account.boot_reads = 0
    cloud.create([spec()])
    (machine,) = cloud.list_run(RUN)
    assert (machine.state, machine.end) == (MachineState.ENDED, End.FAULT)
    assert machine.reason == f"AllocationFailed: {words}"
    assert stand_in.machine_names() == []


def test_quota_is_refused_in_the_words_of_the_service(stand_in, cloud):
    stand_in.account.limits["cores"] = 3
    answers = cloud.create([spec(0), spec(1)])
    (refused,) = [answer for answer in answers if isinstance(answer, Refused)]
    assert refused.kind is FailureKind.QUOTA
    assert "exceeding approved Total Regional Cores quota" in refused.message
    assert len(stand_in.machine_names()) == 1


def test_throttling_and_errors_of_the_service_are_waited_out(stand_in, cloud):
    stand_in.throttle(2)
    stand_in.fail(2)
    assert cloud.create([spec()]) == [Created("parsl-run-1-0-0")]
    stand_in.fail(1, status=503)
    assert len(cloud.list_run(RUN)) == 1
    stand_in.throttle(1)
    cloud.terminate(["parsl-run-1-0-0"])
    assert stand_in.machine_names() == []


def test_another_process_reaches_the_same_machines_without_secrets(stand_in, cloud):
    cloud.create([spec()])
    address = cloud.address()
    assert "the-secret" not in str(address)
    other = reach(address)
    assert len(other.list_run(RUN)) == 1
    other.terminate(["parsl-run-1-0-0"])
    assert stand_in.machine_names() == []


_AT_EXIT = """
import atexit
from parsl.providers.azure.cloud import reach
cloud = reach({address!r})
atexit.register(cloud.terminate, {names!r})
"""


def test_several_machines_are_deleted_while_the_interpreter_exits(stand_in, cloud):
    cloud.create([spec(0), spec(1), spec(2)])
    script = _AT_EXIT.format(address=cloud.address(), names=stand_in.machine_names())
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
    assert stand_in.machine_names() == []


def test_a_sweep_also_deletes_what_has_only_shut_down(stand_in, cloud, host):
    stand_in.account.boot_reads = 0
    cloud.create([spec(0), spec(1)])
    host.shut_down("parsl-run-1-0-0")
    assert sweep(reach(cloud.address()), RUN, sleep=lambda _: None) == (["parsl-run-1-1-0"], [])
    assert stand_in.machine_names() == []


def test_a_public_key_of_the_group_allows_to_log_in(stand_in, make_provider):
    stand_in.account.public_keys["mine"] = "ssh-ed25519 AAAA me"
    make_provider(key_name="mine").make_cloud().create([spec()])
    (machine,) = stand_in.account.virtual_machines.values()
    (key,) = machine.body["properties"]["osProfile"]["linuxConfiguration"]["ssh"]["publicKeys"]
    assert key == {"path": "/home/parsl/.ssh/authorized_keys", "keyData": "ssh-ed25519 AAAA me"}


def test_without_a_group_there_are_no_machines(cloud):
    assert cloud.list_run(RUN) == []
    assert cloud.list_all_runs() == []


def test_the_price_comes_from_the_public_list(stand_in):
    address = f"{stand_in.url}/api/retail/prices"
    assert fetch_price("Standard_D2s_v5", "westus", is_spot=False, address=address) == 0.096
    assert fetch_price("Standard_D2s_v5", "westus", is_spot=True, address=address) == 0.02
    assert fetch_price("Standard_X1", "westus", is_spot=False, address=address) is None
    assert fetch_price("x", "y", is_spot=False, address=f"{stand_in.url}/nothing") is None


def test_a_network_of_the_user_is_used(stand_in, make_provider):
    first = make_provider().make_cloud()
    first.create([spec(0)])
    requests = len([one for one in stand_in.requests if one[0] == "PUT" and "virtualNetworks" in one[1]])
    make_provider().make_cloud().create([spec(1)])
    (network,) = stand_in.account.networks.values()
    assert network["properties"]["subnets"][0]["properties"]["defaultOutboundAccess"] is True
    again = [one for one in stand_in.requests if one[0] == "PUT" and "virtualNetworks" in one[1]]
    assert len(again) == requests == 1


def test_a_subnet_is_added_to_a_network_of_the_user(stand_in, make_provider):
    make_provider().make_cloud().create([spec(0)])
    make_provider(subnet="second").make_cloud().create([spec(1)])
    (network,) = stand_in.account.networks.values()
    assert [subnet["name"] for subnet in network["properties"]["subnets"]] == ["parsl", "second"]


def test_a_creation_and_its_undoing_that_both_fail_are_a_refusal(stand_in, cloud):
    words = "The service is unavailable."
    stand_in.faults.extend(ServiceError(503, "Unavailable", words, retry_after_s=1000) for _ in range(2))
    (refused,) = cloud.create([spec()])
    assert (refused.kind, words in refused.message) == (FailureKind.TRANSIENT, True)
    # It counts as one that may exist until a listing shows that it does not.
    assert states(cloud) == {"parsl-run-1-0-0": (MachineState.ENDED, End.REQUESTED)}
