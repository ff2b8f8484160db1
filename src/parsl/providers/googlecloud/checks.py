"""Checks of a configuration for Compute Engine; nothing is created."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import get_close_matches

from parsl.providers.api.failure import FailureKind, ServiceError
from parsl.providers.googlecloud.instance import Fleet, Json
from parsl.providers.googlecloud.quotas import Demand, quota_finding
from parsl.providers.googlecloud.requests import ACCELERATOR_REQUEST, Requests
from parsl.providers.googlecloud.zones import zones_of, zones_offering
from parsl.vocabulary.findings import ERROR, Finding, Topic

ACCOUNT, REGION, IMAGE = Topic("Google account"), Topic("Google region"), Topic("Google image")
MACHINE, PERMISSION = Topic("Google machine"), Topic("Google permission")

#: Permissions without which no machine can be created, found or deleted.
_REQUIRED = [
    "compute.disks.create",
    "compute.instances.create",
    "compute.instances.delete",
    "compute.instances.list",
    "compute.instances.setLabels",
    "compute.instances.setMetadata",
    "compute.subnetworks.use",
    "compute.zoneOperations.get",
]
#: Permissions without which the reason for the end of a machine remains unknown.
_USEFUL = ["compute.instances.getSerialPortOutput", "compute.zoneOperations.list"]
_ADVICE_ROLE = (
    "The role roles/compute.instanceAdmin.v1 has them: `gcloud projects add-iam-policy-binding PROJECT "
    "--member=serviceAccount:ACCOUNT --role=roles/compute.instanceAdmin.v1`."
)


def check(requests: Requests, fleet: Fleet) -> list[Finding]:
    """Check credentials, project, region, zones, image, machine type, quota and permissions, in this order.

    Without access to the project or the region, the rest is not checked.
    """
    all_zones = _zones(requests, fleet)
    if isinstance(all_zones, Finding):
        return [all_zones]
    findings = [ACCOUNT.ok(f"The project {fleet.project} can be used.")]
    zones = zones_of(fleet.region, all_zones)
    findings += _region_findings(requests, fleet, zones, all_zones)
    if any(finding.level == ERROR for finding in findings):
        return findings
    findings += _image_findings(requests, fleet)
    findings += _machine_findings(requests, fleet, list(fleet.zones or zones))
    return [*findings, *_permission_findings(requests, fleet)]


def check_access(requests: Requests, fleet: Fleet) -> list[Finding]:
    """Check whether the project can be used.

    An account that may not list zones may still list machines: a missing right is no error. Nor is too high a
    rate of requests, which ends.
    """
    try:
        requests.zones()
    except ServiceError as error:
        may_list = error.failure.code == "403 forbidden" or error.kind is FailureKind.THROTTLED
        return [] if may_list else [_access_error(error, fleet)]
    return []


def _zones(requests: Requests, fleet: Fleet) -> list[Json] | Finding:
    try:
        return requests.zones()
    except ServiceError as error:
        return _access_error(error, fleet)


def _access_error(error: ServiceError, fleet: Fleet) -> Finding:
    return ACCOUNT.error(str(error), access_advice(error, fleet.project))


def access_advice(error: ServiceError, project: str) -> str:
    """Return what the user can do if the project cannot be used."""
    if "Invalid JWT" in error.failure.message and "timeframe" in error.failure.message:
        return "The clock of this host is probably wrong, as the request for a token is signed with its time."
    if error.kind is FailureKind.TRANSIENT:
        return "Check the network of this host, its name service, and its proxy (HTTPS_PROXY)."
    if error.failure.code == "invalid credentials":
        return "Make a new key, or run `gcloud auth application-default login` again; see key_file."
    if error.kind in (FailureKind.DENIED, FailureKind.NOT_FOUND):
        return (
            f"project_id is {project!r}: is it the id of the project, not its name or number, and "
            "has the account of key_file access to it?"
        )
    return ""


def _region_findings(
    requests: Requests, fleet: Fleet, zones: list[str], all_zones: list[Json]
) -> Iterator[Finding]:
    if not zones:
        regions = sorted({str(zone["region"]).rpartition("/")[2] for zone in all_zones})
        close = get_close_matches(fleet.region, regions, n=3, cutoff=0.4) or regions[:3]
        yield REGION.error(
            _refusal_of(lambda: requests.region(fleet.region))
            or f"The region {fleet.region!r} has no zones.",
            f"region is {fleet.region!r}; similar ones are {', '.join(close)}.",
        )
    elif unknown := sorted(set(fleet.zones or ()) - set(zones)):
        yield REGION.error(
            f"zones has {', '.join(unknown)}, but {fleet.region} has {', '.join(zones)}.",
            "Name zones of the region, or leave zones out.",
        )
    else:
        yield REGION.ok(f"The region {fleet.region} has the zones {', '.join(zones)}.")


def _image_findings(requests: Requests, fleet: Fleet) -> Iterator[Finding]:
    family = f"{fleet.image_project}/{fleet.image_family}"
    try:
        image = requests.image(fleet.image_project, fleet.image_family)
    except ServiceError as error:
        yield IMAGE.error(
            str(error),
            f"os_project and os_family are {family}; `gcloud compute images list` shows those that exist.",
        )
        return
    yield IMAGE.ok(f"The newest image of {family} is {image['name']}.")


def _machine_findings(requests: Requests, fleet: Fleet, zones: list[str]) -> Iterator[Finding]:
    kind = fleet.machines.machine_type
    offering, refusal = zones_offering(requests, zones, fleet.machines)
    if not offering:
        name, value, listing = "instance_type", repr(kind), f"machine-types list --zones={zones[0]}"
        if refusal is not None and refusal.request == ACCELERATOR_REQUEST:
            added = ", ".join(map(repr, fleet.machines.accelerators))
            name, value, listing = "accelerators", added, "accelerator-types list"
        advice = f"{name} is {value}; `gcloud compute {listing}` shows those that exist."
        yield MACHINE.error(str(refusal), advice)
        return
    cpus = int(requests.machine_type(offering[0], kind)["guestCpus"])
    yield MACHINE.ok(f"{kind} has {cpus} CPUs, and exists in {', '.join(offering)}.")
    try:
        quotas = requests.region(fleet.region).get("quotas", [])
    except ServiceError as error:
        yield MACHINE.note(f"The quota could not be checked: {error}")
        return
    yield quota_finding(Demand.of(fleet, cpus), quotas)


def _permission_findings(requests: Requests, fleet: Fleet) -> Iterator[Finding]:
    required = list(_REQUIRED)
    if fleet.machines.has_external_address:
        required.append("compute.subnetworks.useExternalIp")
    if fleet.machines.service_account is not None:
        required.append("compute.instances.setServiceAccount")
    try:
        granted = requests.granted([*required, *_USEFUL])
    except ServiceError as error:
        yield PERMISSION.note(f"Permissions to create machines could not be checked: {error}")
        return
    if missing := sorted(set(required) - granted):
        yield PERMISSION.error(f"The account lacks {', '.join(missing)} in {fleet.project}.", _ADVICE_ROLE)
    elif useless := sorted(set(_USEFUL) - granted):
        yield PERMISSION.note(
            f"The account lacks {', '.join(useless)}: the reasons for ends of machines remain unknown.",
            _ADVICE_ROLE,
        )
    else:
        yield PERMISSION.ok("The account may create, list and delete machines.")


def _refusal_of(request: Callable[[], object]) -> str | None:
    """Send a request; return the service's words if it is refused."""
    try:
        request()
    except ServiceError as error:
        return str(error)
    return None
