"""Whether the subscription has enough quota, and the caller the permissions, for a provider's machines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

#: The quota of all spot machines of a location, and that of all others.
_SPOT_QUOTA = "lowPriorityCores"
_TOTAL_QUOTA = "cores"

#: What the provider does with machines, as Azure names it.
_MACHINES = (
    "Microsoft.Compute/virtualMachines/read",
    "Microsoft.Compute/virtualMachines/write",
    "Microsoft.Compute/virtualMachines/delete",
    "Microsoft.Compute/virtualMachines/instanceView/read",
    "Microsoft.Network/networkInterfaces/write",
    "Microsoft.Network/networkInterfaces/join/action",
)
_USE_NETWORK = (
    "Microsoft.Network/virtualNetworks/read",
    "Microsoft.Network/virtualNetworks/subnets/join/action",
)
_MAKE_NETWORK = "Microsoft.Network/virtualNetworks/write"
_MAKE_GROUP = "Microsoft.Resources/subscriptions/resourceGroups/write"
_PUBLIC_ADDRESS = (
    "Microsoft.Network/publicIPAddresses/write",
    "Microsoft.Network/publicIPAddresses/join/action",
)
_USE_IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
#: Actions without which the console of a machine, with the reason of a failure, cannot be read.
USEFUL_ACTIONS = ("Microsoft.Compute/virtualMachines/retrieveBootDiagnosticsData/action",)


@dataclass(frozen=True)
class Size:
    """A size of machines in a location."""

    name: str
    family: str
    cores: int
    #: Why the subscription may not use the size there, in Azure's words.
    restriction: str | None = None
    gpus: int = 0


@dataclass(frozen=True)
class Quota:
    """How many cores a subscription may use in a location."""

    name: str
    used: int
    limit: int

    @property
    def free(self) -> int:
        return max(0, self.limit - self.used)


@dataclass(frozen=True)
class Permission:
    """What a role of the caller permits; names may contain ``*``."""

    actions: Sequence[str]
    not_actions: Sequence[str] = ()

    def includes(self, action: str) -> bool:
        """Return whether the role permits an action."""
        return _matches(action, self.actions) and not _matches(action, self.not_actions)


def lacking_quotas(quotas: Mapping[str, Quota], size: Size, machines: int, is_spot: bool) -> list[Quota]:
    """Return the quotas that are too small for a number of machines.

    A quota that the service does not list has no limit.
    """
    names = [_SPOT_QUOTA] if is_spot else [_TOTAL_QUOTA, size.family]
    found = [quotas[name.lower()] for name in names if name.lower() in quotas]
    return [quota for quota in found if quota.free < machines * size.cores]


def needed_actions(
    group: str | None, subnet: str | None, *, has_public_address: bool = False, identity: str | None = None
) -> list[str]:
    """Return what a provider does in its resource group, as Azure names it.

    A subnet or an identity of another group needs permissions for that group, which are not included.

    Args:
        group: The resource id of the group; None if it has to be made.
        subnet: The resource id of the subnet; None if it has to be made.
        has_public_address: Whether machines have public addresses.
        identity: The resource id of a managed identity of the machines.
    """
    needed = [*_MACHINES]
    needed += [] if group else [_MAKE_GROUP]
    needed += [] if subnet else [_MAKE_NETWORK]
    needed += _USE_NETWORK if subnet is None or _is_inside(subnet, group) else ()
    needed += _PUBLIC_ADDRESS if has_public_address else ()
    needed += [_USE_IDENTITY] if identity is not None and _is_inside(identity, group) else []
    return needed


def _is_inside(resource: str, group: str | None) -> bool:
    return group is not None and resource.lower().startswith(f"{group.lower()}/")


def missing_actions(permissions: Iterable[Permission], needed: Sequence[str]) -> list[str]:
    """Return the actions that no role of the caller permits."""
    permissions = list(permissions)
    return [action for action in needed if not any(each.includes(action) for each in permissions)]


def _matches(action: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)
