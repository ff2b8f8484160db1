"""Decisions of the provider that need no service."""

from __future__ import annotations

import json

import pytest
from azure.core.exceptions import ClientAuthenticationError, ServiceResponseError

from parsl.errors import ConfigurationError
from parsl.providers.api.failure import FailureKind
from parsl.providers.azure.access import read_key_file
from parsl.providers.azure.failures import advice, classify, concise, kind_of
from parsl.providers.azure.machine_request import Ground, Plan, machine_request
from parsl.providers.azure.machine_states import Status, gone, needs_view, observe
from parsl.providers.azure.network import choose_subnet
from parsl.providers.azure.prices import choose_price
from parsl.providers.azure.quotas import (
    Permission,
    Quota,
    Size,
    lacking_quotas,
    missing_actions,
    needed_actions,
)
from parsl.providers.azure.self_deletion import with_self_deletion
from parsl.providers.azure.vm_reference import read_vm_reference
from parsl.providers.machines.cloud import End, MachineState
from tests.providers.azure.conftest import VM_REFERENCE

READY = Status("ProvisioningState/succeeded")
FAILED = Status("ProvisioningState/failed/OSProvisioningTimedOut", "OS provisioning did not finish in time")


@pytest.mark.parametrize(
    ("statuses", "state", "end"),
    [
        ([READY], MachineState.STARTING, None),
        ([READY, Status("PowerState/starting")], MachineState.STARTING, None),
        ([READY, Status("PowerState/running")], MachineState.RUNNING, None),
        ([READY, Status("PowerState/stopped")], MachineState.ENDED, End.ITSELF),
        ([READY, Status("PowerState/deallocated")], MachineState.STOPPED, End.REQUESTED),
        ([FAILED], MachineState.ENDED, End.FAULT),
        # Azure has not noticed that the machine has booted, but the machine works.
        ([FAILED, Status("PowerState/running")], MachineState.RUNNING, None),
    ],
)
def test_states(statuses, state, end):
    observed = observe("Succeeded", statuses)
    assert (observed.state, observed.end) == (state, end)


NO_HOST = """\
DefaultAzureCredential failed to retrieve a token from the included credentials.
Attempted credentials:
\tEnvironmentCredential: Authentication failed: HTTPSConnection(host='login'): Failed to resolve 'login'
To mitigate this issue, please refer to the troubleshooting guidelines here at https://aka.ms/azsdk."""
NO_CREDENTIAL = """\
DefaultAzureCredential failed to retrieve a token from the included credentials.
Attempted credentials:
\tEnvironmentCredential: EnvironmentCredential authentication unavailable. Variables are not configured.
\tManagedIdentityCredential: ManagedIdentityCredential authentication unavailable: Connection refused
\tAzureCliCredential: Azure CLI not found on path
To mitigate this issue, please refer to the troubleshooting guidelines here at https://aka.ms/azsdk."""


def test_states_without_a_view():
    assert not needs_view("Creating")
    assert observe("Creating").state is MachineState.STARTING
    assert observe("Deleting").end is End.REQUESTED


def test_ends_of_machines_that_are_gone():
    assert gone(is_spot=True, deletes_itself=True).end is End.RECLAIMED
    assert gone(is_spot=True, deletes_itself=True, is_walltime=True).end is End.ITSELF
    assert gone(is_spot=True, deletes_itself=False, is_walltime=True).end is End.RECLAIMED
    assert gone(is_spot=False, deletes_itself=True).end is End.ITSELF
    assert gone(is_spot=False, deletes_itself=False).end is End.REQUESTED


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (429, "OperationNotAllowed", "throttled", FailureKind.THROTTLED),
        (409, "OperationNotAllowed", "exceeding approved Total Regional Cores quota", FailureKind.QUOTA),
        (409, "SkuNotAvailable", "not available", FailureKind.CAPACITY),
        (409, "AllocationFailed", "no room", FailureKind.CAPACITY),
        (409, "QuotaExceeded", "", FailureKind.QUOTA),
        (409, "OperationNotAllowed", "the machine is being deleted", FailureKind.PERMANENT),
        (409, "RetryableError", "", FailureKind.TRANSIENT),
        (503, "", "", FailureKind.TRANSIENT),
        (403, "AuthorizationFailed", "", FailureKind.DENIED),
        (400, "", "AADSTS90002: Tenant not found", FailureKind.DENIED),
        (None, "", "DefaultAzureCredential failed", FailureKind.DENIED),
        (
            None,
            "",
            "Authentication failed: AADSTS90033: A transient error has occurred.",
            FailureKind.TRANSIENT,
        ),
        (None, "", NO_HOST, FailureKind.TRANSIENT),
        (None, "", NO_CREDENTIAL, FailureKind.DENIED),
        (404, "ResourceNotFound", "", FailureKind.NOT_FOUND),
        (400, "InvalidParameter", "", FailureKind.PERMANENT),
    ],
)
def test_kinds_of_failures(status, code, message, kind):
    assert kind_of(status, code, message) is kind


def test_login_trouble_is_one_sentence_with_the_attempt_that_failed():
    first = "DefaultAzureCredential failed to retrieve a token from the included credentials."
    assert concise(NO_CREDENTIAL) == first
    assert concise(NO_HOST).startswith(
        f"{first} EnvironmentCredential: Authentication failed: HTTPSConnection"
    )
    assert concise("AADSTS1: a\nb") == "AADSTS1: a\nb"


def test_a_login_without_an_answer_may_work_later():
    refused = ClientAuthenticationError("Authentication failed")
    assert classify(refused).kind is FailureKind.DENIED
    refused.__cause__ = ServiceResponseError("no answer")
    assert classify(refused).kind is FailureKind.TRANSIENT


def test_advice():
    assert "az login" in advice(NO_CREDENTIAL)
    assert "name service" in advice(NO_HOST)
    assert advice("something else") == ""


SIZE = Size("Standard_D2s_v5", "standardDSv5Family", 2)
QUOTAS = {
    "cores": Quota("cores", 90, 100),
    "standarddsv5family": Quota("standardDSv5Family", 4, 10),
    "lowprioritycores": Quota("lowPriorityCores", 0, 4),
}


@pytest.mark.parametrize(
    ("machines", "is_spot", "lacking"),
    [
        (3, False, []),
        (4, False, ["standardDSv5Family"]),
        (6, False, ["cores", "standardDSv5Family"]),
        (2, True, []),
        (3, True, ["lowPriorityCores"]),
    ],
)
def test_quotas(machines, is_spot, lacking):
    assert [quota.name for quota in lacking_quotas(QUOTAS, SIZE, machines, is_spot)] == lacking


def test_a_quota_that_is_not_listed_is_no_limit():
    assert lacking_quotas({}, SIZE, 1000, False) == []


def test_permissions():
    needed = ["Microsoft.Compute/virtualMachines/write", "Microsoft.Compute/virtualMachines/delete"]
    assert missing_actions([Permission(["*"])], needed) == []
    assert missing_actions([Permission(["microsoft.compute/*/write"])], needed) == needed[1:]
    assert missing_actions([Permission(["*"], ["*/delete"])], needed) == needed[1:]
    assert missing_actions([Permission(["*"], ["*/delete"]), Permission(["*/delete"])], needed) == []
    assert missing_actions([], needed) == needed


GROUP = "/subscriptions/s/resourceGroups/g"


def test_needed_permissions_depend_on_what_is_there_and_what_is_requested():
    machines = needed_actions(GROUP, "/subscriptions/s/resourceGroups/other/subnet")
    assert "Microsoft.Compute/virtualMachines/delete" in machines
    assert not [action for action in machines if "virtualNetworks" in action]
    inside = needed_actions(GROUP, f"{GROUP.upper()}/providers/subnet")
    assert "Microsoft.Network/virtualNetworks/subnets/join/action" in inside
    assert "Microsoft.Network/virtualNetworks/write" in needed_actions(GROUP, None)
    assert "Microsoft.Resources/subscriptions/resourceGroups/write" in needed_actions(None, None)
    public = set(needed_actions(GROUP, None, has_public_address=True)) - set(needed_actions(GROUP, None))
    assert {action.split("/")[1] for action in public} == {"publicIPAddresses"}
    assert "userAssignedIdentities/assign/action" in needed_actions(GROUP, None, identity=f"{GROUP}/i")[-1]
    assert needed_actions(GROUP, None, identity="/elsewhere/i") == needed_actions(GROUP, None)


def test_prices():
    prices = [
        {"unitOfMeasure": "1 Hour", "retailPrice": 0.19, "productName": "Dsv5 Windows", "skuName": "D2s v5"},
        {"unitOfMeasure": "1 Hour", "retailPrice": 0.1, "productName": "Dsv5", "skuName": "D2s v5"},
        {"unitOfMeasure": "1 Hour", "retailPrice": 0.02, "productName": "Dsv5", "skuName": "D2s v5 Spot"},
        {"unitOfMeasure": "1 Year", "retailPrice": 0.01, "productName": "Dsv5", "skuName": "D2s v5"},
        {
            "unitOfMeasure": "1 Hour",
            "retailPrice": 0.03,
            "productName": "D",
            "skuName": "D2s v5 Low Priority",
        },
    ]
    assert choose_price(prices, is_spot=False) == 0.1
    assert choose_price(prices, is_spot=True) == 0.02
    assert choose_price([], is_spot=False) is None


def test_subnets():
    properties = {"subnets": [{"name": "GatewaySubnet"}, {"name": "work"}, {"name": "more"}]}
    assert choose_subnet(properties, None) == "work"
    assert choose_subnet(properties, "more") == "more"
    assert choose_subnet(properties, "missing") is None
    assert choose_subnet({}, None) is None


def test_key_files_of_two_kinds(tmp_path):
    path = tmp_path / "keys.json"
    path.write_text(
        json.dumps({"clientId": "c", "clientSecret": "s", "tenantId": "t", "subscriptionId": "x"})
    )
    expected = {
        "AZURE_CLIENT_ID": "c",
        "AZURE_CLIENT_SECRET": "s",
        "AZURE_TENANT_ID": "t",
        "AZURE_SUBSCRIPTION_ID": "x",
    }
    assert read_key_file(str(path)) == expected
    path.write_text(json.dumps(expected))
    assert read_key_file(str(path)) == expected
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_key_file(str(tmp_path))


def request(**changed):
    vm = read_vm_reference({**VM_REFERENCE, **changed.pop("vm", {})})
    plan = Plan("westus", vm, "parsl.vnet", **changed)
    return machine_request(plan, Ground("/subnet"), "parsl-run-0-0", "echo", {"parsl-run": "run"})[
        "properties"
    ]


def test_a_password_allows_to_log_in_with_it():
    profile = request(vm={"password": "secret-secret"})["osProfile"]
    assert profile["adminPassword"] == "secret-secret"
    assert profile["linuxConfiguration"] == {"disablePasswordAuthentication": False}


def test_a_public_address_is_deleted_with_the_machine():
    (interface,) = request(has_public_address=True)["networkProfile"]["networkInterfaceConfigurations"]
    (configuration,) = interface["properties"]["ipConfigurations"]
    address = configuration["properties"]["publicIPAddressConfiguration"]
    assert address["properties"]["deleteOption"] == "Delete"


def test_a_machine_without_spot_has_no_policy_of_eviction():
    assert "evictionPolicy" not in request()
    assert request(is_spot=True)["billingProfile"] == {"maxPrice": -1}


def test_an_image_of_the_user_and_a_plan():
    assert request(vm={"image_id": "/images/mine"})["storageProfile"]["imageReference"] == {
        "id": "/images/mine"
    }
    vm = read_vm_reference({**VM_REFERENCE, "plan": {"name": "n", "publisher": "p", "product": "x"}})
    body = machine_request(Plan("westus", vm, "v", identity="/id"), Ground("/subnet"), "name", "", {})
    assert body["plan"] == {"name": "n", "publisher": "p", "product": "x"}
    assert body["identity"] == {"type": "UserAssigned", "userAssignedIdentities": {"/id": {}}}


def test_self_deletion_keeps_the_script():
    text = with_self_deletion("#!/bin/bash\necho '{{x}}'\n", "/subscriptions/s/x y", "https://arm")
    assert text.startswith("#!/bin/bash\n")
    assert "echo '{{x}}'" in text
    assert "msi_res_id=%2Fsubscriptions%2Fs%2Fx%20y" in text
