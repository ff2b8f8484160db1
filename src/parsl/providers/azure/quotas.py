"""Whether the subscription has enough quota, and the caller the permissions, for a provider's machines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

#: The quota of all spot machines of a location, and that of all others.
_SPOT_QUOTA = "lowPriorityCores"
_TOTAL_QUOTA = "cores"

#: What the provider does, as Azure names it.
NEEDED_ACTIONS = (
    "Microsoft.Compute/virtualMachines/read",
    "Microsoft.Compute/virtualMachines/write",
    "Microsoft.Compute/virtualMachines/delete",
    "Microsoft.Compute/virtualMachines/instanceView/read",
    "Microsoft.Network/networkInterfaces/write",
    "Microsoft.Network/networkInterfaces/join/action",
    "Microsoft.Network/virtualNetworks/read",
    "Microsoft.Network/virtualNetworks/subnets/join/action",
)
#: What it does if there is no network, or no resource group.
MAKE_NETWORK = "Microsoft.Network/virtualNetworks/write"
MAKE_GROUP = "Microsoft.Resources/subscriptions/resourceGroups/write"


@dataclass(frozen=True)
class Size:
    """A size of machines in a location."""

    name: str
    family: str
    cores: int
    #: Why the subscription may not use the size there, in Azure's words.
    restriction: str | None = None


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


def missing_actions(permissions: Iterable[Permission], needed: Sequence[str] = NEEDED_ACTIONS) -> list[str]:
    """Return the actions that no role of the caller permits."""
    permissions = list(permissions)
    return [action for action in needed if not any(each.includes(action) for each in permissions)]


def _matches(action: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)
