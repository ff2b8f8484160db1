"""The request that creates a machine, with everything that belongs to it, as Azure expects it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from parsl.providers.azure.vm_reference import Image, VmReference

Json = dict[str, Any]

#: The version of the network service that makes a machine's interface; Azure accepts two.
_NETWORK_API_VERSION = "2022-11-01"
#: The maximum size of a machine's script, in bytes.
MAX_SCRIPT_BYTES = 65535


@dataclass(frozen=True)
class Plan:
    """The machines of a provider, as the user has described them."""

    location: str
    vm: VmReference
    vnet_name: str
    #: The resource id of a subnet, or the name of one in the virtual network; None for any.
    subnet: str | None = None
    #: The name of a public key that is a resource of the group.
    key_name: str | None = None
    is_spot: bool = False
    #: The maximum price of a spot machine, in dollars per hour; None for the price of other machines.
    spot_max_price: float | None = None
    #: The resource id of a managed identity with which a machine deletes itself.
    identity: str | None = None
    has_public_address: bool = False
    machines_per_block: int = 1
    max_blocks: int = 1


@dataclass(frozen=True)
class Ground:
    """What has to exist before a machine does."""

    subnet_id: str
    #: The key of the administrator's account, in the form of ``authorized_keys``.
    public_key: str | None = None


def machine_request(plan: Plan, ground: Ground, name: str, script: str, tags: Mapping[str, str]) -> Json:
    """Return the body of the request for a machine.

    The disk, the interface and the address have no life of their own: they are made with the machine, in one
    request, and deleted with it.

    Args:
        plan: What all machines have in common.
        ground: Where they are.
        name: The machine's name, of at most 64 characters.
        script: The shell script that it runs when it starts.
        tags: Its tags.
    """
    body: Json = {
        "location": plan.location,
        "tags": dict(tags),
        "properties": {
            "hardwareProfile": {"vmSize": plan.vm.vm_size},
            "storageProfile": _storage(plan.vm),
            "osProfile": _operating_system(plan.vm, ground.public_key, name, script),
            "networkProfile": _network(plan, ground),
            # The console shows why a job has failed; Azure keeps it in a storage of its own.
            "diagnosticsProfile": {"bootDiagnostics": {"enabled": True}},
            **_spot(plan),
        },
    }
    if plan.identity is not None:
        body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {plan.identity: {}}}
    if plan.vm.plan is not None:
        body["plan"] = dict(plan.vm.plan)
    return body


def _storage(vm: VmReference) -> Json:
    disk: Json = {
        "createOption": "FromImage",
        "deleteOption": "Delete",
        "managedDisk": {"storageAccountType": "StandardSSD_LRS"},
    }
    if vm.disk_size_gb is not None:
        disk["diskSizeGB"] = vm.disk_size_gb
    return {"imageReference": _image(vm.image), "osDisk": disk}


def _image(image: Image | str) -> Json:
    if isinstance(image, str):
        return {"id": image}
    return {
        "publisher": image.publisher,
        "offer": image.offer,
        "sku": image.sku,
        "version": image.version,
    }


def _operating_system(vm: VmReference, public_key: str | None, name: str, script: str) -> Json:
    user, password = vm.admin_username, vm.password
    linux: Json = {"disablePasswordAuthentication": password is None}
    if public_key is not None:
        path = f"/home/{user}/.ssh/authorized_keys"
        linux["ssh"] = {"publicKeys": [{"path": path, "keyData": public_key}]}
    profile: Json = {
        "computerName": name,
        "adminUsername": user,
        "customData": base64.b64encode(script.encode()).decode(),
        "linuxConfiguration": linux,
    }
    if password is not None:
        profile["adminPassword"] = password
    return profile


def _network(plan: Plan, ground: Ground) -> Json:
    address: Json = {"primary": True, "subnet": {"id": ground.subnet_id}}
    if plan.has_public_address:
        address["publicIPAddressConfiguration"] = {
            "name": "address",
            "sku": {"name": "Standard"},
            "properties": {"deleteOption": "Delete", "publicIPAllocationMethod": "Static"},
        }
    interface = {
        "primary": True,
        "deleteOption": "Delete",
        "ipConfigurations": [{"name": "address", "properties": address}],
    }
    return {
        "networkApiVersion": _NETWORK_API_VERSION,
        "networkInterfaceConfigurations": [{"name": "interface", "properties": interface}],
    }


def _spot(plan: Plan) -> Json:
    if not plan.is_spot:
        return {}
    max_price = -1 if plan.spot_max_price is None else plan.spot_max_price
    return {"priority": "Spot", "evictionPolicy": "Delete", "billingProfile": {"maxPrice": max_price}}
