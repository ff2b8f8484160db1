"""The calls of EC2, sent with boto3 to a stand-in."""

from __future__ import annotations

import pytest

from parsl.providers.api.failure import FailureKind, ServiceError
from parsl.providers.aws.ec2 import Ec2, as_machine, end_of, reach
from parsl.providers.aws.service import InstanceOptions
from parsl.providers.machines.cloud import Created, End, MachineSpec, MachineState, Refused
from tests.support.clouds.ec2 import IMAGE, REGION

OPTIONS = InstanceOptions(IMAGE, "t2.small")


def spec(node=0, run="run-1", user_data="#!/bin/bash\nsleep 1000\n"):
    return MachineSpec(run, f"parsl-{run}-0", node, user_data, 3600, {"project": "stars"})


@pytest.fixture
def service(ec2):
    return Ec2(REGION, options=OPTIONS)


def instance(ec2, machine_id):
    return ec2.backend.get_instance(machine_id)


def test_a_machine_is_created_and_terminated(ec2, service, wait_until):
    (created,) = service.create([spec()])
    assert isinstance(created, Created)
    (machine,) = service.list_run("run-1")
    assert (machine.machine_id, machine.state, machine.block) == (
        created.machine_id, MachineState.RUNNING, "parsl-run-1-0"
    )  # fmt: skip
    wait_until(lambda: ec2.host.running() == [created.machine_id])
    service.terminate([created.machine_id])
    (machine,) = service.list_run("run-1")
    assert (machine.state, machine.end) == (MachineState.ENDED, End.REQUESTED)
    assert not ec2.host.running()


def test_machines_and_volumes_have_tags(ec2, service):
    (created,) = service.create([spec(node=3)])
    tags = {
        tag["key"]: tag["value"] for tag in ec2.backend.describe_tags({"resource-id": [created.machine_id]})
    }
    assert tags == {
        "Name": "parsl-run-1-0-3",
        "project": "stars",
        "parsl-run": "run-1",
        "parsl-block": "parsl-run-1-0",
        "parsl-node": "3",
    }


def test_the_request_lets_a_machine_end_by_itself():
    assert OPTIONS.request()["InstanceInitiatedShutdownBehavior"] == "terminate"
    assert "InstanceMarketOptions" not in OPTIONS.request()


def test_the_request_for_spot_machines_in_a_private_network():
    options = InstanceOptions(IMAGE, "g5.xlarge", "key", "arn", "subnet-1", ("sg-1",), True, 0.25)
    request = options.request()
    assert request["SubnetId"] == "subnet-1"
    assert request["SecurityGroupIds"] == ["sg-1"]
    assert request["IamInstanceProfile"] == {"Arn": "arn"}
    assert request["InstanceMarketOptions"]["SpotOptions"] == {
        "SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate", "MaxPrice": "0.25"
    }  # fmt: skip


def test_machines_of_other_runs_are_not_listed(ec2, service):
    service.create([spec(run="run-1")])
    service.create([spec(run="run-2")])
    assert [machine.run for machine in service.list_run("run-2")] == ["run-2"]
    assert sorted(machine.run for machine in service.list_all_runs()) == ["run-1", "run-2"]


def test_machines_of_others_in_the_account_are_not_listed(ec2, service):
    service.client.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1)
    assert service.list_all_runs() == []


def test_all_pages_are_read(ec2, service, monkeypatch):
    monkeypatch.setattr("parsl.providers.aws.ec2._PAGE_SIZE", 5)
    service.create([spec(node, user_data="") for node in range(12)])
    assert sorted(machine.node for machine in service.list_run("run-1")) == list(range(12))
    assert ec2.requests.count("DescribeInstances") == 3


def test_no_ids_are_not_all_machines(ec2, service):
    service.create([spec()])
    with pytest.raises(ValueError, match="at least one id"):
        service.terminate([])
    assert len(ec2.instances()) == 1


def test_an_unknown_machine_does_not_save_the_others(ec2, service):
    (created,) = service.create([spec()])
    service.terminate(["i-0123456789abcdef0", created.machine_id])
    assert not ec2.instances()


def test_a_refusal_has_the_service_own_words(ec2, service):
    words = "You have requested more vCPU capacity than your current vCPU limit of 0 allows."
    ec2.fault = lambda action: (400, "VcpuLimitExceeded", words) if action == "RunInstances" else None
    assert (
        service.create([spec(0), spec(1)]) == [Refused(FailureKind.QUOTA, f"VcpuLimitExceeded: {words}")] * 2
    )


def test_throttled_requests_are_repeated(ec2, service):
    left = [(503, "RequestLimitExceeded", "Request limit exceeded."), (500, "InternalError", "An error")]
    ec2.fault = lambda action: left.pop() if left else None
    assert service.list_run("run-1") == []
    assert ec2.requests == ["DescribeInstances"] * 3


def test_a_machine_that_shuts_itself_down(ec2, service, wait_until):
    service.create([spec(user_data="#!/bin/bash\necho some output\nshutdown -h now\n")])
    wait_until(lambda: service.list_run("run-1")[0].end is End.ITSELF)
    (machine,) = service.list_run("run-1")
    assert service.console_output(machine.machine_id).startswith("some output\n")


def test_a_reclaimed_machine(ec2, service):
    (created,) = service.create([spec()])
    ec2.reclaim(created.machine_id)
    (machine,) = service.list_run("run-1")
    assert machine.end is End.RECLAIMED
    assert "Spot instance termination" in machine.reason


@pytest.mark.parametrize(
    ("code", "end"),
    [
        ("Server.SpotInstanceTermination", End.RECLAIMED),
        ("Server.InsufficientInstanceCapacity", End.FAULT),
        ("Client.VolumeLimitExceeded", End.FAULT),
        ("Client.UserInitiatedShutdown", End.REQUESTED),
        ("", None),
    ],
)
def test_ends(code, end):
    assert end_of(code) is end


def test_a_stopped_instance_still_costs_money():
    facts = {"InstanceId": "i-1", "State": {"Name": "stopped"}, "Tags": []}
    assert as_machine(facts).state is MachineState.STOPPED


def test_another_process_reaches_the_same_account():
    given = Ec2("eu-west-1", "work", None, OPTIONS)
    reached = reach(given.address())
    assert (reached.region, reached.profile, reached.key_file) == ("eu-west-1", "work", None)


def test_a_service_that_cannot_be_reached(ec2, service, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(ServiceError, match="Could not connect to the endpoint") as caught:
        Ec2(REGION).request("DescribeVpcs", Ec2(REGION).client.describe_vpcs, deadline_s=0.5)
    assert caught.value.kind is FailureKind.TRANSIENT
