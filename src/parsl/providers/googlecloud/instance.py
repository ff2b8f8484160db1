"""What Compute Engine is sent to create a machine, and what its answers about machines mean.

Plain functions of plain data: requests are in :mod:`parsl.providers.googlecloud.compute`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


#: The shortest and the longest time limit that the service accepts, in seconds.
MIN_WALLTIME_S, MAX_WALLTIME_S = 30, 120 * 24 * 3600

_LABEL_KEY = re.compile(r"[a-z][-_a-z0-9]{0,62}")
_LABEL_VALUE = re.compile(r"[-_a-z0-9]{0,63}")
_NOT_IN_LABEL = re.compile(r"[^-_a-z0-9]")
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


@dataclass(frozen=True)
class InstanceSettings:
    """What the user has chosen about machines; the same for all machines of a provider."""

    machine_type: str
    region: str
    network: str | None = None
    subnetwork: str | None = None
    has_external_address: bool = True
    is_spot: bool = False
    #: Type of accelerator -> how many of them a machine has.
    accelerators: Mapping[str, int] = field(default_factory=dict)
    disk_size_gb: int | None = None
    disk_type: str | None = None
    service_account: str | None = None
    network_tags: Sequence[str] = ()


@dataclass(frozen=True)
class Fleet:
    """Which machines, where, and how many at most."""

    project: str
    region: str
    image_project: str
    image_family: str
    machines: InstanceSettings
    #: The zones to use, in the order of preference; None for all of the region.
    zones: Sequence[str] | None = None
    nodes_per_block: int = 1
    max_blocks: int = 1


def label_value(text: str) -> str:
    """Return a text as the value of a label: lower case, digits, ``-`` and ``_``, at most 63 characters."""
    return _NOT_IN_LABEL.sub("-", text.lower())[:63]


def wrong_label(labels: Mapping[str, str]) -> str | None:
    """Return what is wrong with labels of the user's, or None."""
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key):
            return f"the key {key!r} is not a letter followed by at most 62 of a-z, 0-9, - and _"
        if not _LABEL_VALUE.fullmatch(value):
            return f"the value {value!r} of {key!r} is not at most 63 of a-z, 0-9, - and _"
    return None


def instance_body(
    settings: InstanceSettings,
    *,
    name: str,
    zone: str,
    image: str,
    labels: Mapping[str, str],
    startup_script: str,
    walltime_s: int,
) -> Json:
    """Return the body of ``instances.insert``.

    Args:
        settings: What the user has chosen.
        name: The machine's name, unique in the project.
        zone: The zone, such as ``us-central1-a``.
        image: The link of the image for the boot disk.
        labels: The labels.
        startup_script: What the machine runs as root when it has booted.
        walltime_s: When the service deletes the machine, in seconds after its start; see
            :data:`MIN_WALLTIME_S` and :data:`MAX_WALLTIME_S`.
    """
    body: Json = {
        "name": name,
        "machineType": f"zones/{zone}/machineTypes/{settings.machine_type}",
        "labels": dict(labels),
        "metadata": {"items": [{"key": "startup-script", "value": startup_script}]},
        "disks": [{"boot": True, "autoDelete": True, "initializeParams": _disk(settings, zone, image)}],
        "networkInterfaces": [_network(settings)],
        "scheduling": _scheduling(settings, walltime_s),
    }
    if settings.accelerators:
        body["guestAccelerators"] = [
            {"acceleratorType": f"zones/{zone}/acceleratorTypes/{kind}", "acceleratorCount": number}
            for kind, number in settings.accelerators.items()
        ]
    if settings.service_account is not None:
        body["serviceAccounts"] = [{"email": settings.service_account, "scopes": [_SCOPE]}]
    if settings.network_tags:
        body["tags"] = {"items": list(settings.network_tags)}
    return body


def _disk(settings: InstanceSettings, zone: str, image: str) -> Json:
    disk: Json = {"sourceImage": image}
    if settings.disk_size_gb is not None:
        disk["diskSizeGb"] = str(settings.disk_size_gb)
    if settings.disk_type is not None:
        disk["diskType"] = f"zones/{zone}/diskTypes/{settings.disk_type}"
    return disk


def _network(settings: InstanceSettings) -> Json:
    interface: Json = {}
    network, subnetwork = settings.network, settings.subnetwork
    if network is None and subnetwork is None:
        network = "default"
    if network is not None:
        interface["network"] = network if "/" in network else f"global/networks/{network}"
    if subnetwork is not None:
        path = f"regions/{settings.region}/subnetworks/{subnetwork}"
        interface["subnetwork"] = subnetwork if "/" in subnetwork else path
    if settings.has_external_address:
        interface["accessConfigs"] = [{"type": "ONE_TO_ONE_NAT", "name": "External NAT"}]
    return interface


def _scheduling(settings: InstanceSettings, walltime_s: int) -> Json:
    # A machine that starts again would run its startup script a second time.
    scheduling: Json = {
        "automaticRestart": False,
        "maxRunDuration": {"seconds": str(walltime_s)},
        "instanceTerminationAction": "DELETE",
    }
    if settings.is_spot:
        scheduling["provisioningModel"] = "SPOT"
    if settings.is_spot or settings.accelerators:
        scheduling["onHostMaintenance"] = "TERMINATE"  # the service cannot move such machines
    return scheduling
