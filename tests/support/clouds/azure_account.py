"""The account of the stand-in for Azure: what it allows, and what exists in it."""

from __future__ import annotations

import base64
import binascii
import threading
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from tests.support.clouds.idle_host import IdleHost
from tests.support.clouds.processes import ProcessHost

Json = dict[str, Any]

SUBSCRIPTION = "11111111-aaaa-4bbb-8ccc-000000000001"
TENANT = "22222222-aaaa-4bbb-8ccc-000000000002"
CLIENT = "33333333-aaaa-4bbb-8ccc-000000000003"
SECRET = "the-secret-of-the-test"
CUSTOM_DATA_LIMIT_BYTES = 65536


class ServiceError(Exception):
    """An error in the service's own form."""

    def __init__(self, status: int, code: str, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"error": {"code": code, "message": message}}
        self.headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}


@dataclass
class VirtualMachine:
    """A machine; its disk and its interface exist as long as it does, if they are deleted with it."""

    name: str
    body: Json
    size: str
    is_spot: bool
    #: How often its state is read before it is no longer "Creating".
    boot_reads: int
    #: Why it could not be placed on a host; a code and a message.
    failure: tuple[str, str] | None = None
    is_deallocated: bool = False
    created: str = field(default_factory=lambda: datetime.now(timezone.utc).isoformat())

    def provisioning_state(self) -> str:
        if self.boot_reads > 0:
            return "Creating"
        return "Failed" if self.failure else "Succeeded"


@dataclass
class Account:
    """One subscription. The server's threads call it, one at a time: the lock guards everything."""

    #: Runs the machines.
    host: IdleHost | ProcessHost
    #: Sizes of machines: family and number of cores.
    sizes: dict[str, tuple[str, int]] = field(
        default_factory=lambda: {
            "Standard_D2s_v5": ("standardDSv5Family", 2),
            "Standard_NC4as_T4_v3": ("Standard NCASv3_T4 Family", 4),
        }
    )
    locations: frozenset[str] = frozenset({"westus", "westeurope"})
    images: set[tuple[str, str, str, str]] = field(
        default_factory=lambda: {("Canonical", "ubuntu-24_04-lts", "server", "24.04.202610010")}
    )
    #: Limits of cores; a family without one has the total as its limit.
    limits: dict[str, int] = field(default_factory=lambda: {"cores": 100, "lowPriorityCores": 100})
    #: Sizes that the subscription may not use, with the reason code.
    restricted: dict[str, str] = field(default_factory=dict)
    #: Actions that the caller has no permission for.
    denied: set[str] = field(default_factory=set)
    #: How often the state of a new machine is read before it runs.
    boot_reads: int = 1
    #: Why new machines fail after they were accepted.
    allocation_failure: tuple[str, str] | None = None

    #: Where machines find what they have at 169.254.169.254 on Azure.
    metadata_address: str = ""

    groups: dict[str, Json] = field(default_factory=dict)
    networks: dict[str, Json] = field(default_factory=dict)
    public_keys: dict[str, str] = field(default_factory=dict)
    virtual_machines: dict[str, VirtualMachine] = field(default_factory=dict)
    #: The resource ids of all machines, also of those that were deleted.
    ids: dict[str, str] = field(default_factory=dict)
    #: Disks and interfaces that are left from machines that were deleted without them.
    orphans: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def check_permission(self, action: str, scope: str) -> None:
        if action in self.denied:
            message = (
                f"The client '{CLIENT}' with object id '{CLIENT}' does not have authorization to "
                "perform action "
                f"'{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, "
                "please refresh your credentials."
            )
            raise ServiceError(403, "AuthorizationFailed", message)

    def check_location(self, location: str) -> None:
        if location not in self.locations:
            message = (
                f"The provided location '{location}' is not available for resource type "
                "'Microsoft.Compute/virtualMachines'. List of available regions for the resource type is "
                f"'{','.join(sorted(self.locations))}'."
            )
            raise ServiceError(400, "LocationNotAvailableForResourceType", message)

    def cores_in_use(self, is_spot: bool, family: str | None = None) -> int:
        return sum(
            self.sizes[machine.size][1]
            for machine in self.virtual_machines.values()
            if machine.is_spot == is_spot and family in (None, self.sizes[machine.size][0])
        )

    def usages(self) -> list[Json]:
        """The quotas of a location."""
        usages = [
            _usage("cores", self.cores_in_use(False), self.limits["cores"]),
            _usage("lowPriorityCores", self.cores_in_use(True), self.limits["lowPriorityCores"]),
        ]
        for family in sorted({family for family, _ in self.sizes.values()}):
            limit = self.limits.get(family, self.limits["cores"])
            usages.append(_usage(family, self.cores_in_use(False, family), limit))
        return usages

    def create(self, name: str, resource_id: str, body: Json) -> VirtualMachine:
        """Create a machine and start it; a second request for the same one changes nothing."""
        if name in self.virtual_machines:
            return self.virtual_machines[name]
        self._check(body)
        properties = body["properties"]
        size = properties["hardwareProfile"]["vmSize"]
        is_spot = properties.get("priority") == "Spot"
        self._check_quota(size, is_spot)
        machine = VirtualMachine(name, body, size, is_spot, self.boot_reads, self.allocation_failure)
        self.virtual_machines[name] = machine
        self.ids[name] = resource_id
        if machine.failure is None:
            script = base64.b64decode(properties["osProfile"].get("customData", "")).decode()
            metadata = f"{self.metadata_address}/metadata-of/{name}"
            self.host.start_machine(name, script.replace("http://169.254.169.254", metadata))
        return machine

    def delete(self, name: str) -> bool:
        """Delete a machine, with the disk and the interfaces that are to be deleted with it."""
        machine = self.virtual_machines.pop(name, None)
        if machine is None:
            return False
        self.host.kill(name)
        properties = machine.body["properties"]
        parts = {"disk": properties["storageProfile"]["osDisk"]}
        for index, interface in enumerate(properties["networkProfile"]["networkInterfaceConfigurations"]):
            parts[f"interface-{index}"] = interface["properties"]
        kept = [part for part, options in parts.items() if options.get("deleteOption") != "Delete"]
        self.orphans += [f"{name}-{part}" for part in kept]
        return True

    def evict(self, name: str) -> None:
        """Reclaim a spot machine."""
        with self.lock:
            policy = self.virtual_machines[name].body["properties"]["evictionPolicy"]
            if policy == "Delete":
                self.delete(name)
            else:
                self.host.kill(name)
                self.virtual_machines[name].is_deallocated = True

    def statuses(self, machine: VirtualMachine) -> list[Json]:
        """The instance view's statuses."""
        state = machine.provisioning_state()
        if machine.failure and state == "Failed":
            code, message = machine.failure
            failed = {"code": f"ProvisioningState/failed/{code}", "level": "Error", "message": message}
            return [{**failed, "displayStatus": "Provisioning failed"}]
        ready = {"code": f"ProvisioningState/{state.lower()}", "level": "Info"}
        if state == "Creating":
            return [ready]
        is_running = machine.name in self.host.running()
        power = "deallocated" if machine.is_deallocated else "running" if is_running else "stopped"
        return [ready, {"code": f"PowerState/{power}", "level": "Info", "displayStatus": f"VM {power}"}]

    def _check(self, body: Json) -> None:
        self.check_location(body["location"])
        properties = body["properties"]
        size = properties["hardwareProfile"]["vmSize"]
        if size not in self.sizes:
            message = (
                f"The value {size} provided for the VM size is not valid. The valid sizes in the "
                "current region "
                f"are: {', '.join(self.sizes)}."
            )
            raise ServiceError(400, "InvalidParameter", message)
        self._check_image(properties["storageProfile"].get("imageReference", {}))
        _check_os_profile(properties["osProfile"])
        network = properties["networkProfile"]
        if network.get("networkApiVersion") not in ("2020-11-01", "2022-11-01"):
            message = "The value of parameter networkProfile.networkApiVersion is invalid."
            raise ServiceError(400, "InvalidParameter", message)
        for interface in network["networkInterfaceConfigurations"]:
            self._check_subnet(interface["properties"]["ipConfigurations"][0]["properties"]["subnet"]["id"])

    def _check_image(self, image: Json) -> None:
        requested = tuple(image.get(part, "") for part in ("publisher", "offer", "sku", "version"))
        known = any(
            requested[:3] == one[:3] and requested[3] in ("latest", one[3]) for one in self.images
        ) or image.get("id")
        if not known:
            message = (
                f"The platform image '{':'.join(requested)}' is not available. Verify that all fields "
                "in the "
                "storage profile are correct."
            )
            raise ServiceError(404, "PlatformImageNotFound", message)

    def _check_subnet(self, subnet_id: str) -> None:
        network, _, subnet = subnet_id.rpartition("/subnets/")
        known = self.networks.get(network.lower(), {}).get("properties", {}).get("subnets", [])
        if subnet not in [one["name"] for one in known]:
            message = (
                f"Resource {subnet_id} referenced by resource was not found. Please make sure that "
                "the referenced "
                "resource exists, and that both resources are in the same region."
            )
            raise ServiceError(400, "InvalidResourceReference", message)

    def _check_quota(self, size: str, is_spot: bool) -> None:
        name, title = (
            ("lowPriorityCores", "LowPriorityCores") if is_spot else ("cores", "Total Regional Cores")
        )
        used, needed = self.cores_in_use(is_spot), self.sizes[size][1]
        limit, total = self.limits[name], used + needed
        if total > limit:
            message = (
                f"Operation could not be completed as it results in exceeding approved {title} quota. "
                "Additional details - Deployment Model: Resource Manager, Location: westus, "
                f"Current Limit: {limit}, Current Usage: {used}, Additional Required: {needed}, "
                f"(Minimum) New Limit Required: {total}."
            )
            raise ServiceError(409, "OperationNotAllowed", message)


def _check_os_profile(profile: Json) -> None:
    linux = profile.get("linuxConfiguration", {})
    if not profile.get("adminPassword") and not linux.get("ssh", {}).get("publicKeys"):
        message = (
            "Authentication using either SSH or by user name and password must be enabled in Linux profile."
        )
        raise ServiceError(400, "InvalidParameter", message)
    message = (
        "Custom data in OSProfile must be in Base64 encoding and with a maximum length of 87380 characters."
    )
    try:
        data = base64.b64decode(profile.get("customData", ""), validate=True)
    except binascii.Error:
        raise ServiceError(400, "InvalidParameter", message) from None
    if len(data) > CUSTOM_DATA_LIMIT_BYTES:
        raise ServiceError(400, "InvalidParameter", message)


def _usage(name: str, value: int, limit: int) -> Json:
    return {
        "unit": "Count",
        "currentValue": value,
        "limit": limit,
        "name": {"value": name, "localizedValue": f"{name} vCPUs"},
    }
