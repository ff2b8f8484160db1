from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("azure.mgmt.compute")

from parsl.providers.azure.azure import AzureProvider
from tests.support.clouds.azure_arm import AzureStandIn
from tests.support.clouds.idle_host import IdleHost
from tests.support.clouds.processes import ProcessHost

VM_REFERENCE = {
    "publisher": "Canonical",
    "offer": "ubuntu-24_04-lts",
    "sku": "server",
    "version": "latest",
    "vm_size": "Standard_D2s_v5",
    "disk_size_gb": 30,
    "admin_username": "parsl",
}


@pytest.fixture
def host() -> IdleHost | ProcessHost:
    """What runs machines; a module with tests of real machines has another one."""
    return IdleHost()


@pytest.fixture
def stand_in(tmp_path, monkeypatch, host) -> Iterator[AzureStandIn]:
    directory = tmp_path / "azure"
    directory.mkdir()
    with AzureStandIn(directory, host) as service:
        for name, value in service.environment().items():
            monkeypatch.setenv(name, value)
        yield service


@pytest.fixture
def make_provider(stand_in) -> Callable[..., AzureProvider]:
    def make(**changed: object) -> AzureProvider:
        parameters = {
            "vm_reference": VM_REFERENCE,
            "key_file": str(stand_in.key_file),
            "endpoint": stand_in.url,
            "price_per_hour": 0.1,
            "max_blocks": 2,
            **changed,
        }
        return AzureProvider(**parameters)

    return make
