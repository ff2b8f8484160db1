"""Checks of a configuration with the service, for ``parsl.load`` and ``parsl doctor``; nothing is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from parsl.providers.api.calls import Calls
from parsl.providers.api.failure import FailureKind, ServiceError
from parsl.providers.azure.access import Access
from parsl.providers.azure.failures import advice
from parsl.providers.azure.machine_request import Plan
from parsl.providers.azure.network import Network
from parsl.providers.azure.public_keys import fetch_public_key
from parsl.providers.azure.quotas import (
    USEFUL_ACTIONS,
    Permission,
    Quota,
    Size,
    lacking_quotas,
    missing_actions,
    needed_actions,
)
from parsl.providers.machines.cloud import gpu_findings
from parsl.vocabulary.findings import Finding, Topic

_CREDENTIALS, _NETWORK, _IMAGE = Topic("credentials"), Topic("network"), Topic("image")
_SIZE, _QUOTA, _PERMISSIONS, _KEY = Topic("vm_size"), Topic("quota"), Topic("permissions"), Topic("key_name")
_PERMISSIONS_API_VERSION = "2022-04-01"


@dataclass
class Checks:
    """The checks of one provider, with one finding or more for each topic."""

    access: Access
    calls: Calls
    plan: Plan
    network: Network
    has_group: bool = False
    subnet: str | None = None

    def run(self) -> list[Finding]:
        """Check everything; without access to the subscription, or in an unknown location, nothing more."""
        try:
            findings = [self._group()]
        except ServiceError as error:
            return [_error(_CREDENTIALS, error)]
        quotas = self._quotas()
        if isinstance(quotas, Finding):
            return [*findings, quotas]
        findings += self._size_and_quota(quotas)
        findings += [self._image(), self._subnet(), self._permissions()]
        if self.plan.key_name is not None:
            findings.append(self._key(self.plan.key_name))
        return findings

    def check_access(self) -> list[Finding]:
        """Check whether the subscription can be used.

        An account that may not look at the group may still list its machines: a missing right is no error.
        Nor is too high a rate of requests, which ends.
        """
        try:
            return [self._group()]
        except ServiceError as error:
            may_list = error.failure.code == "AuthorizationFailed" or error.kind is FailureKind.THROTTLED
            return [] if may_list else [_error(_CREDENTIALS, error)]

    def _group(self) -> Finding:
        name, subscription = self.access.address.group_name, self.access.subscription_id
        self.has_group = self.network.group_exists()
        state = "has the resource group" if self.has_group else "has no resource group yet; Parsl will make"
        return _CREDENTIALS.ok(f"subscription {subscription} {state} {name!r}")

    def _quotas(self) -> dict[str, Quota] | Finding:
        location = self.plan.location
        try:
            usages = self.calls.run(
                "locations/usages", lambda: list(self.access.compute.usage.list(location))
            )
        except ServiceError as error:
            return _error(Topic("location"), error)
        quotas = [Quota(one.name.value or "", one.current_value, one.limit) for one in usages]
        return {quota.name.lower(): quota for quota in quotas}

    def _size_and_quota(self, quotas: Mapping[str, Quota]) -> list[Finding]:
        name, location = self.plan.vm.vm_size, self.plan.location
        condition = f"location eq '{location}'"
        try:
            skus = self.calls.run(
                "skus/list", lambda: list(self.access.compute.resource_skus.list(filter=condition))
            )
        except ServiceError as error:
            return [_error(_SIZE, error)]
        size = find_size(skus, name)
        if size is None:
            return [_SIZE.error(f"Azure has no vm_size {name!r} in {location}.", advice("SkuNotAvailable"))]
        if size.restriction is not None:
            text = f"The subscription may not use vm_size {name!r} in {location}: {size.restriction}."
            return [_SIZE.error(text, advice("SkuNotAvailable"))]
        cores = _SIZE.ok(f"{name} has {size.cores} cores")
        return [cores, self._quota(quotas, size), *gpu_findings(_SIZE, name, size.gpus)]

    def _quota(self, quotas: Mapping[str, Quota], size: Size) -> Finding:
        plan = self.plan
        most = plan.machines_per_block * plan.max_blocks
        one_block = lacking_quotas(quotas, size, plan.machines_per_block, plan.is_spot)
        all_blocks = lacking_quotas(quotas, size, most, plan.is_spot)
        if not all_blocks:
            return _QUOTA.ok(
                f"the quotas of {plan.location} allow the {most * size.cores} cores of max_blocks"
            )
        lacking = (one_block or all_blocks)[0]
        machines = plan.machines_per_block if one_block else most
        need = "1 machine of {} needs" if machines == 1 else f"{machines} machines of {{}} need"
        used = f", of which {lacking.used} are used" if lacking.used else ""
        text = (
            f"{need.format(size.name)} {machines * size.cores} cores, but the quota {lacking.name!r} in "
            f"{plan.location} allows {lacking.limit}{used}."
        )
        return _QUOTA.error(text, advice("quota")) if one_block else _QUOTA.warning(text, advice("quota"))

    def _image(self) -> Finding:
        image = self.plan.vm.image
        if isinstance(image, str):
            return _IMAGE.note(f"whether {image} exists is only seen when a machine is created")
        where = (self.plan.location, image.publisher, image.offer, image.sku)
        images = self.access.compute.virtual_machine_images
        try:
            if image.version == "latest":
                versions = self.calls.run("images/list", lambda: images.list(*where, top=1))
            else:
                versions = [self.calls.run("images/get", lambda: images.get(*where, image.version))]
        except ServiceError as error:
            return _error(_IMAGE, error, f"The image {image} in {self.plan.location}: ")
        if not versions:
            return _IMAGE.error(f"There is no version of the image {image} in {self.plan.location}.")
        return _IMAGE.ok(f"{image} is available")

    def _subnet(self) -> Finding:
        try:
            self.subnet = self.network.find_subnet()
        except ServiceError as error:
            return _error(_NETWORK, error)
        return _NETWORK.ok(self.subnet or f"Parsl will make the network {self.plan.vnet_name!r}")

    def _permissions(self) -> Finding:
        needed = needed_actions(
            self.scope if self.has_group else None,
            self.subnet,
            has_public_address=self.plan.has_public_address,
            identity=self.plan.identity,
        )
        try:
            permissions = self.calls.run("permissions/list", self._fetch_permissions)
        except ServiceError as error:  # reading them needs a permission, too
            return _PERMISSIONS.note(f"permissions cannot be checked: {error}")
        if missing := missing_actions(permissions, needed):
            text = f"The account lacks permissions for {self.scope}: {', '.join(missing)}."
            return _PERMISSIONS.error(text, advice("AuthorizationFailed"))
        if useless := missing_actions(permissions, USEFUL_ACTIONS):
            text = f"the account lacks {', '.join(useless)}: consoles of machines cannot be read"
            return _PERMISSIONS.note(text)
        return _PERMISSIONS.ok(f"the account may create and delete machines in {self.scope}")

    @property
    def scope(self) -> str:
        """The resource group, or the subscription if the group does not exist yet."""
        subscription = f"/subscriptions/{self.access.subscription_id}"
        return (
            f"{subscription}/resourceGroups/{self.access.address.group_name}"
            if self.has_group
            else subscription
        )

    def _fetch_permissions(self) -> list[Permission]:
        from azure.core.rest import HttpRequest

        path = f"{self.scope}/providers/Microsoft.Authorization/permissions"
        request = HttpRequest("GET", path, params={"api-version": _PERMISSIONS_API_VERSION})
        response = self.access.resources.send_request(request)
        response.raise_for_status()
        roles = response.json()["value"]
        return [Permission(role.get("actions", ()), role.get("notActions", ())) for role in roles]

    def _key(self, name: str) -> Finding:
        try:
            fetch_public_key(self.access, self.calls, name)
        except ServiceError as error:
            return _error(_KEY, error)
        return _KEY.ok(f"{name} exists")


def find_size(skus: Iterable[Any], name: str) -> Size | None:
    """Find a size of machines among the products of a location."""
    for sku in skus:
        if sku.resource_type == "virtualMachines" and (sku.name or "").lower() == name.lower():
            capabilities = {one.name: one.value for one in sku.capabilities or ()}
            reasons = [one.reason_code for one in sku.restrictions or () if one.type == "Location"]
            reason = str(getattr(reasons[0], "value", reasons[0])) if reasons else None
            cores, gpus = (int(capabilities.get(kind) or 0) for kind in ("vCPUs", "GPUs"))
            return Size(sku.name, sku.family or "", cores or 1, reason, gpus)
    return None


def _error(topic: Topic, error: ServiceError, prefix: str = "") -> Finding:
    return topic.error(
        f"{prefix}{error}", error.advice or advice(f"{error.failure.code} {error.failure.message}")
    )
