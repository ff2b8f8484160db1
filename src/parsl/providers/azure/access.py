"""The way to a subscription of Azure: credentials, and clients."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from parsl.errors import ConfigurationError, OptionalModuleMissing

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

PUBLIC_ENDPOINT = "https://management.azure.com"
#: Endpoints of clouds whose login service the libraries know.
_KNOWN_ENDPOINTS = {
    PUBLIC_ENDPOINT,
    "https://management.usgovcloudapi.net",
    "https://management.chinacloudapi.cn",
}
#: The values of a key file, by upstream's names, with the names that ``az`` writes.
_KEYS = {
    "AZURE_CLIENT_ID": "clientId",
    "AZURE_CLIENT_SECRET": "clientSecret",
    "AZURE_TENANT_ID": "tenantId",
    "AZURE_SUBSCRIPTION_ID": "subscriptionId",
}
_MODULES = ["azure-identity", "azure-mgmt-compute", "azure-mgmt-resource"]
#: How long to wait for a connection and for an answer, in seconds. The retries are those of ``Calls``.
_CLIENT_OPTIONS: dict[str, Any] = {"retry_total": 0, "connection_timeout": 10, "read_timeout": 60}


@dataclass(frozen=True)
class Address:
    """Where the machines are; without secrets, so that other processes may get it as text."""

    group_name: str
    key_file: str | None = None
    subscription_id: str | None = None
    endpoint: str = PUBLIC_ENDPOINT

    def as_text(self) -> dict[str, str]:
        """Return the fields that have a value."""
        return {name: value for name, value in asdict(self).items() if value is not None}


class Access:
    """Clients for one subscription. Any thread may use them.

    Raises:
        ConfigurationError: The key file cannot be used, or no subscription is named.
        OptionalModuleMissing: The client libraries are not installed.
    """

    def __init__(self, address: Address) -> None:
        try:
            from azure import identity  # noqa: F401
            from azure.mgmt.compute import ComputeManagementClient
            from azure.mgmt.resource.resources import ResourceManagementClient
        except ImportError as error:
            reason = "AzureProvider uses Azure's client libraries: pip install 'parsl[azure]'."
            raise OptionalModuleMissing(_MODULES, f"{reason} The import failed: {error}.") from error
        self.address = address
        self._keys = None if address.key_file is None else read_key_file(address.key_file)
        self.subscription_id = address.subscription_id or self._default_subscription()
        credential, options = self._credential(), self._options()
        #: The client for machines.
        self.compute = ComputeManagementClient(credential, self.subscription_id, **options)
        #: The client for groups, and for resources of any kind.
        self.resources = ResourceManagementClient(credential, self.subscription_id, **options)

    def __repr__(self) -> str:
        return f"<Access to subscription {self.subscription_id}>"

    def resource_id(self, path: str) -> str:
        """Return the id of a resource in the group; ``path`` is its provider, type and name."""
        group = self.address.group_name
        return f"/subscriptions/{self.subscription_id}/resourceGroups/{group}/providers/{path}"

    def _credential(self) -> TokenCredential:
        from azure.identity import ClientSecretCredential, DefaultAzureCredential

        identity = logging.getLogger("azure.identity")
        if identity.level == logging.NOTSET:  # it logs a page about each error that is raised as well
            identity.setLevel(logging.ERROR)
        options: dict[str, Any] = {"retry_total": 0}
        if self.address.endpoint not in _KNOWN_ENDPOINTS:
            options["disable_instance_discovery"] = True
        if self._keys is None:
            return DefaultAzureCredential(**options)
        names = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
        return ClientSecretCredential(*(self._keys[name] for name in names), **options)

    def _options(self) -> dict[str, Any]:
        endpoint = self.address.endpoint
        return {"base_url": endpoint, "credential_scopes": [f"{endpoint}/.default"], **_CLIENT_OPTIONS}

    def _default_subscription(self) -> str:
        source: Mapping[str, str] = os.environ if self._keys is None else self._keys
        subscription = source.get("AZURE_SUBSCRIPTION_ID")
        if not subscription:
            raise ConfigurationError(
                "AzureProvider: no subscription is named. Pass subscription_id, or set AZURE_SUBSCRIPTION_ID "
                "in the environment or in the key file; 'az account show --query id' shows it."
            )
        return subscription


def read_key_file(path: str) -> dict[str, str]:
    """Read a JSON file with credentials, in upstream's form or in the form that ``az`` writes.

    Raises:
        ConfigurationError: The file cannot be read, or lacks a value.
    """
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as stream:
            content = json.load(stream)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"AzureProvider: key_file {path!r} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"AzureProvider: key_file {path!r} contains no JSON object")
    keys = {name: content.get(name) or content.get(other) for name, other in _KEYS.items()}
    missing = [name for name, value in keys.items() if not value and name != "AZURE_SUBSCRIPTION_ID"]
    if missing:
        raise ConfigurationError(
            f"AzureProvider: key_file {path!r} has no {' and no '.join(missing)}. It is a JSON object with "
            f"{', '.join(_KEYS)}."
        )
    return {name: str(value) for name, value in keys.items() if value}
