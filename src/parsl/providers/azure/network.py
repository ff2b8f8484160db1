"""The resource group and the network of the machines: found, or made once. Both cost nothing and stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from parsl.providers.api.calls import Calls
from parsl.providers.api.failure import Failure, FailureKind, ServiceError
from parsl.providers.azure.access import Access

_API_VERSION = "2024-05-01"
_SUBNET = "parsl"
_PREFIX = "10.0.0.0/16"
#: Subnets in which only services of Azure may be.
_RESERVED = frozenset({"azurebastionsubnet", "azurefirewallsubnet", "gatewaysubnet"})


@dataclass
class Network:
    """A subnet of a virtual network in the provider's resource group.

    Args:
        access: The subscription.
        calls: Runs the requests.
        location: Where machines are.
        vnet_name: The virtual network.
        subnet: The resource id of a subnet anywhere, or the name of one in the virtual network; None for any.
    """

    access: Access
    calls: Calls
    location: str
    vnet_name: str
    subnet: str | None

    def group_exists(self) -> bool:
        """Return whether there is the resource group; the first request, which shows wrong credentials."""
        group = self.access.address.group_name
        try:
            self.calls.run("resourceGroups/get", lambda: self.access.resources.resource_groups.get(group))
        except ServiceError as error:
            if error.failure.code != "ResourceGroupNotFound":
                raise
            return False
        return True

    def find_subnet(self) -> str | None:
        """Return the resource id of the subnet; None if it has to be made.

        Raises:
            ServiceError: The network cannot be read, or is in another location.
        """
        if self.subnet is not None and self.subnet.startswith("/"):
            self._check_readable(self.subnet)
            return self.subnet
        network = self._get_network()
        name = None if network is None else choose_subnet(network.properties or {}, self.subnet)
        return None if name is None else self._path(name)

    def ensure_subnet(self) -> str:
        """Return the resource id of the subnet; make the group, the network and the subnet if needed."""
        if not self.group_exists():
            self._make_group()
        found = self.find_subnet()
        return found or self._make_subnet()

    def _check_readable(self, path: str) -> None:
        """Raise ServiceError if a subnet does not exist; one that may only be joined is all right."""
        try:
            self._get(path)
        except ServiceError as error:
            if error.kind is not FailureKind.DENIED:
                raise

    def _path(self, subnet: str | None = None) -> str:
        network = self.access.resource_id(f"Microsoft.Network/virtualNetworks/{self.vnet_name}")
        return network if subnet is None else f"{network}/subnets/{subnet}"

    def _get(self, path: str) -> Any:
        resources = self.access.resources.resources
        return self.calls.run(
            "virtualNetworks/get", lambda: resources.get_by_id(path, api_version=_API_VERSION)
        )

    def _get_network(self) -> Any:
        try:
            network = self._get(self._path())
        except ServiceError as error:
            if error.kind is not FailureKind.NOT_FOUND:
                raise
            return None
        if network.location and network.location.lower() != self.location.lower():
            message = f"the network {self.vnet_name!r} is in {network.location}, not in {self.location}."
            failure = Failure(FailureKind.PERMANENT, message, "WrongLocation")
            advice = "Name another network with vnet_name, or another location."
            raise ServiceError(self.calls.service, "virtualNetworks/get", failure, advice)
        return network

    def _make_group(self) -> None:
        group = self.access.address.group_name
        body: Any = {"location": self.location}
        groups = self.access.resources.resource_groups
        self.calls.run("resourceGroups/write", lambda: groups.create_or_update(group, body))

    def _make_subnet(self) -> str:
        subnet = self.subnet or _SUBNET
        properties = {"addressPrefix": _PREFIX, "defaultOutboundAccess": True}
        if self._get_network() is None:
            content = {
                "addressSpace": {"addressPrefixes": [_PREFIX]},
                "subnets": [{"name": subnet, "properties": properties}],
            }
            self._put(self._path(), {"location": self.location, "properties": content})
        else:
            self._put(self._path(subnet), {"properties": properties})
        return self._path(subnet)

    def _put(self, path: str, body: Any) -> None:
        resources = self.access.resources.resources
        self.calls.run(
            "virtualNetworks/write",
            lambda: resources.begin_create_or_update_by_id(
                resource_id=path, parameters=body, api_version=_API_VERSION, polling_interval=2
            ).result(),
        )


def choose_subnet(properties: Mapping[str, Any], requested: str | None) -> str | None:
    """Choose a subnet of a virtual network: the requested one, or the first that machines may be in."""
    names = [subnet["name"] for subnet in properties.get("subnets") or []]
    if requested is not None:
        return requested if requested in names else None
    return next((name for name in names if name.lower() not in _RESERVED), None)
