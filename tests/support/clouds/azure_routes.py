"""The routes of the stand-in for Azure Resource Manager: what each request does to the account."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Protocol

from tests.support.clouds.azure_account import Account, Json, ServiceError, VirtualMachine

_GROUP = r"/subscriptions/(?P<subscription>[^/]+)/resourcegroups/(?P<group>[^/]+)"
_NETWORK = rf"{_GROUP}/providers/microsoft\.network/virtualnetworks/(?P<network>[^/]+)"
_COMPUTE = r"/providers/microsoft\.compute"
_LOCATION = rf"/subscriptions/(?P<subscription>[^/]+){_COMPUTE}/locations/(?P<location>[^/]+)"
_MACHINES = rf"{_GROUP}{_COMPUTE}/virtualmachines"
_MACHINE = rf"{_MACHINES}/(?P<machine>[^/]+)"
_IMAGE = r"/publishers/(?P<publisher>[^/]+)/artifacttypes/vmimage/offers/(?P<offer>[^/]+)/skus/(?P<sku>[^/]+)"

#: Answers a request: a status and a body.
Answer = tuple[int, Any]


class Service(Protocol):
    """What the routes need of the server."""

    account: Account
    url: str
    page_size: int


def _permissions(stand_in: Service, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    denied = sorted(stand_in.account.denied)
    return 200, {"value": [{"actions": ["*"], "notActions": denied, "dataActions": [], "notDataActions": []}]}


def _get_group(stand_in: Service, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    name = found["group"]
    return 200, _existing_group(stand_in, name)


def _existing_group(stand_in: Service, name: str) -> Json:
    if name.lower() not in stand_in.account.groups:
        raise ServiceError(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")
    return stand_in.account.groups[name.lower()]


def _put_group(stand_in: Service, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    location = body["location"]
    if location not in stand_in.account.locations:
        message = (
            f"The provided location '{location}' is not available for resource group. List of "
            "available regions is "
            f"'{','.join(sorted(stand_in.account.locations))}'."
        )
        raise ServiceError(400, "LocationNotAvailableForResourceGroup", message)
    group = {**body, "id": path, "name": found["group"], "properties": {"provisioningState": "Succeeded"}}
    stand_in.account.groups[found["group"].lower()] = group
    return 201, group


def _get_network(stand_in: Service, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    _existing_group(stand_in, found["group"])
    network = stand_in.account.networks.get(path.lower())
    if network is None:
        raise ServiceError(
            404, "ResourceNotFound", _not_found("virtualNetworks", found["network"], found["group"])
        )
    return 200, network


def _get_subnet(stand_in: Service, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    network = stand_in.account.networks.get(path.lower().rpartition("/subnets/")[0], {"properties": {}})
    for subnet in network["properties"].get("subnets", []):
        if subnet["name"] == found["subnet"]:
            return 200, subnet
    raise ServiceError(
        404, "ResourceNotFound", _not_found("virtualNetworks", found["network"], found["group"])
    )


def _put_network(stand_in: Service, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    _existing_group(stand_in, found["group"])
    network = {**body, "id": path, "name": found["network"]}
    network["properties"] = {**body["properties"], "provisioningState": "Succeeded"}
    stand_in.account.networks[path.lower()] = network
    return 201, network


def _put_subnet(stand_in: Service, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    network = stand_in.account.networks[path.lower().rpartition("/subnets/")[0]]
    subnet = {
        "name": found["subnet"],
        "id": path,
        "properties": {**body["properties"], "provisioningState": "Succeeded"},
    }
    network["properties"].setdefault("subnets", []).append(subnet)
    return 201, subnet


def _put_machine(stand_in: Service, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    _existing_group(stand_in, found["group"])
    machine = stand_in.account.create(found["machine"], path, body)
    return 201, _machine(machine, path)


def _delete_machine(stand_in: Service, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    return (202 if stand_in.account.delete(found["machine"]) else 204), None


def _view(stand_in: Service, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    name = found["machine"]
    machine = stand_in.account.virtual_machines.get(name)
    if machine is None:
        raise ServiceError(404, "ResourceNotFound", _not_found("virtualMachines", name, found["group"]))
    return 200, {"statuses": stand_in.account.statuses(machine)}


def _console(stand_in: Service, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    return 200, {"serialConsoleLogBlobUri": f"{stand_in.url}/console/{found['machine']}"}


def _list_machines(stand_in: Service, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    _existing_group(stand_in, found["group"])
    machines = sorted(stand_in.account.virtual_machines.values(), key=lambda machine: machine.name)
    start = int(query.get("$skipToken", 0))
    end = start + stand_in.page_size
    page: Json = {"value": [_machine(one, f"{path}/{one.name}") for one in machines[start:end]]}
    for machine in machines[start:end]:
        machine.boot_reads -= 1
    if end < len(machines):
        page["nextLink"] = f"{stand_in.url}{path}?api-version={query['api-version']}&$skipToken={end}"
    return 200, page


def _machine(machine: VirtualMachine, path: str) -> Json:
    body = json.loads(json.dumps(machine.body))
    body["properties"]["provisioningState"] = machine.provisioning_state()
    body["properties"]["timeCreated"] = machine.created
    body["properties"]["osProfile"].pop("customData", None)
    body["properties"]["osProfile"].pop("adminPassword", None)
    return {**body, "id": path, "name": machine.name, "type": "Microsoft.Compute/virtualMachines"}


def _versions(stand_in: Service, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    stand_in.account.check_location(found["location"])
    image = (found["publisher"], found["offer"], found["sku"])
    versions = [one[3] for one in sorted(stand_in.account.images) if one[:3] == image]
    if not versions:
        raise ServiceError(404, "NotFound", "Artifact: VMImage was not found.")
    return 200, [
        {"name": version, "location": found["location"], "id": f"{path}/{version}"} for version in versions
    ]


def _version(stand_in: Service, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    versions = _versions(stand_in, path, found, query, body)[1]
    for version in versions:
        if version["name"] == found["version"]:
            return 200, version
    raise ServiceError(404, "NotFound", "Artifact: VMImage was not found.")


def _usages(stand_in: Service, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    stand_in.account.check_location(found["location"])
    return 200, {"value": stand_in.account.usages()}


def _skus(stand_in: Service, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    filtered = re.findall("'(.*?)'", query.get("$filter", ""))
    locations = [one for one in filtered if one in stand_in.account.locations]
    return 200, {
        "value": [
            _sku(stand_in.account, size, where) for where in locations for size in stand_in.account.sizes
        ]
    }


def _sku(account: Account, size: str, location: str) -> Json:
    family, cores = account.sizes[size]
    reason = account.restricted.get(size)
    restriction = {"type": "Location", "values": [location], "reasonCode": reason}
    return {
        "resourceType": "virtualMachines",
        "name": size,
        "family": family,
        "locations": [location],
        "capabilities": [
            {"name": "vCPUs", "value": str(cores)},
            {"name": "LowPriorityCapable", "value": "True"},
            *([{"name": "GPUs", "value": "1"}] if size.startswith("Standard_N") else []),
        ],
        "restrictions": [restriction] if reason else [],
    }


def _public_key(stand_in: Service, path: str, found: re.Match[str], query: Json, body: Json) -> Answer:
    name = found["key"]
    if name not in stand_in.account.public_keys:
        raise ServiceError(404, "ResourceNotFound", _not_found("sshPublicKeys", name, found["group"]))
    return 200, {
        "id": path,
        "name": name,
        "location": "westus",
        "properties": {"publicKey": stand_in.account.public_keys[name]},
    }


def _not_found(kind: str, name: str, group: str) -> str:
    provider = "Microsoft.Network" if kind == "virtualNetworks" else "Microsoft.Compute"
    return (
        f"The Resource '{provider}/{kind}/{name}' under resource group '{group}' was not found. For "
        "more details "
        "please go to https://aka.ms/ARMResourceNotFoundFix"
    )


Respond = Callable[[Service, str, "re.Match[str]", Json, Json], Answer]
_VM = "Compute/virtualMachines"
_VERSIONS = "Compute/locations/publishers/artifacttypes/offers/skus/versions/read"
ROUTES: list[tuple[str, str, str, Respond]] = [
    ("GET", _GROUP, "Resources/subscriptions/resourceGroups/read", _get_group),
    ("PUT", _GROUP, "Resources/subscriptions/resourceGroups/write", _put_group),
    ("GET", r".*/providers/microsoft\.authorization/permissions", "", _permissions),
    ("GET", _NETWORK, "Network/virtualNetworks/read", _get_network),
    ("PUT", _NETWORK, "Network/virtualNetworks/write", _put_network),
    ("GET", rf"{_NETWORK}/subnets/(?P<subnet>[^/]+)", "Network/virtualNetworks/subnets/read", _get_subnet),
    ("PUT", rf"{_NETWORK}/subnets/(?P<subnet>[^/]+)", "Network/virtualNetworks/subnets/write", _put_subnet),
    ("GET", _MACHINES, f"{_VM}/read", _list_machines),
    ("PUT", _MACHINE, f"{_VM}/write", _put_machine),
    ("DELETE", _MACHINE, f"{_VM}/delete", _delete_machine),
    ("GET", rf"{_MACHINE}/instanceview", f"{_VM}/instanceView/read", _view),
    (
        "POST",
        rf"{_MACHINE}/retrievebootdiagnosticsdata",
        f"{_VM}/retrieveBootDiagnosticsData/action",
        _console,
    ),
    ("GET", rf"{_LOCATION}{_IMAGE}/versions", _VERSIONS, _versions),
    ("GET", rf"{_LOCATION}{_IMAGE}/versions/(?P<version>[^/]+)", _VERSIONS, _version),
    ("GET", rf"{_LOCATION}/usages", "Compute/locations/usages/read", _usages),
    ("GET", rf"/subscriptions/[^/]+{_COMPUTE}/skus", "Compute/skus/read", _skus),
    ("GET", rf"{_GROUP}{_COMPUTE}/sshpublickeys/(?P<key>[^/]+)", "Compute/sshPublicKeys/read", _public_key),
]
