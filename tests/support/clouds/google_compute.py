"""A stand-in for Compute Engine: the few calls that a provider needs, through the real client library.

Messages of errors are those that the service sends. Machines run as processes of this machine, or not at all.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import count
from pathlib import Path
from typing import Any

from tests.support.clouds.google_server import GoogleServer, Json, Problem, Router
from tests.support.clouds.processes import Ended, ProcessHost

PROJECT = "my-project"
REGION = "us-central1"
ZONES = ("us-central1-a", "us-central1-b", "us-central1-c")
#: Its name begins with that of a region, as that of europe-west1 and europe-west10 do.
OTHER_ZONE = "us-central10-a"
IMAGE_PROJECT, IMAGE_FAMILY = "debian-cloud", "debian-12"
MACHINE_TYPES = {"n1-standard-1": 1, "n1-standard-4": 4}
#: What Resource Manager reports as granted.
PERMISSIONS = frozenset(
    "compute.instances." + name
    for name in (
        "create",
        "delete",
        "get",
        "getSerialPortOutput",
        "list",
        "setLabels",
        "setMetadata",
        "setServiceAccount",
    )
) | {
    "compute.disks.create",
    "compute.subnetworks.use",
    "compute.subnetworks.useExternalIp",
    "compute.zoneOperations.get",
    "compute.zoneOperations.list",
}
_PAGE_SIZE = 500
_MIN_RUN_DURATION_S, _MAX_RUN_DURATION_S = 30, 120 * 24 * 3600


@dataclass
class Operation:
    """What the service does in answer to a request, or by itself."""

    name: str
    zone: str
    kind: str
    target_id: str
    target: str
    user: str = "parsl@my-project.iam.gserviceaccount.com"
    message: str = ""
    is_done: bool = True
    errors: list[Json] = field(default_factory=list)

    def to_json(self) -> Json:
        answer: Json = {
            "kind": "compute#operation",
            "name": self.name,
            "zone": f"projects/{PROJECT}/zones/{self.zone}",
            "operationType": self.kind,
            "targetId": self.target_id,
            "targetLink": f"projects/{PROJECT}/zones/{self.zone}/instances/{self.target}",
            "user": self.user,
            "insertTime": f"2026-11-29T12:00:00.{int(self.name.rpartition('-')[2]):09d}-08:00",
            "status": "DONE" if self.is_done else "RUNNING",
        }
        if self.message:
            answer["statusMessage"] = self.message
        if self.errors:
            answer["error"] = {"errors": self.errors}
        return answer


class GoogleCompute:
    """The service, with one project; every method may be called from any thread.

    A test sets its attributes to make requests fail: quotas, zones without capacity, missing permissions.

    Args:
        directory: A directory for machines, which run their startup scripts; None for idle machines.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.host = None if directory is None else ProcessHost(directory, self._machine_ended)
        self._removals: list[threading.Thread] = []
        self._lock = threading.RLock()
        self._numbers = count(1000)
        self._request_ids: dict[str, Operation] = {}
        self.instances: dict[str, Json] = {}
        #: Bodies of all accepted insert requests.
        self.inserted: list[Json] = []
        self.operations: list[Operation] = []
        self.quotas = {
            "CPUS": 24.0,
            "PREEMPTIBLE_CPUS": 24.0,
            "IN_USE_ADDRESSES": 24.0,
            "NVIDIA_T4_GPUS": 1.0,
        }
        self.full_zones: set[str] = set()
        self.permissions = set(PERMISSIONS)
        self.page_size = _PAGE_SIZE
        #: Whether operations stay in progress until `finish_operations`.
        self.holds_operations = False
        self.server = GoogleServer(self._routes(), self._lock)

    def close(self) -> None:
        """End the server and all machines."""
        self.server.close()
        for thread in self._removals:
            thread.join()
        if self.host is not None:
            self.host.close()

    def running(self) -> list[str]:
        """Return the names of instances that have not been deleted."""
        with self._lock:
            return sorted(self.instances)

    def preempt(self, name: str) -> None:
        """Reclaim a machine, as happens to spot machines."""
        self._end_by_itself(name, "compute.instances.preempted", "Instance was preempted.")

    def end_run_duration(self, name: str) -> None:
        """Let the time limit of a machine pass."""
        instance = self.instances[name]
        assert instance["scheduling"]["maxRunDuration"]["seconds"]
        kind = "compute.instances.automaticDeleteOnTermination"
        self._end_by_itself(name, kind, "Instance reached its run duration.")

    def delete_by_hand(self, name: str, user: str = "owner@example.org") -> None:
        """Delete a machine as the owner of the project, in the console."""
        self._end_by_itself(name, "delete", "", user)

    def power_off(self, name: str) -> None:
        """Let a machine shut itself down: it is kept, stopped, until it is deleted."""
        with self._lock:
            if (instance := self.instances.get(name)) is not None:
                instance["status"] = "TERMINATED"
                kind, zone = "compute.instances.guestTerminate", _last(instance["zone"])
                self._note_operation(
                    zone, kind, instance["id"], name, "system", "Instance terminated by guest OS shutdown."
                )

    def finish_operations(self) -> None:
        """Complete all operations that are in progress."""
        with self._lock:
            for operation in self.operations:
                if not operation.is_done:
                    self._finish(operation)

    def _routes(self) -> Router:
        router = Router()
        project = "/compute/v1/projects/{project}"
        zone = project + "/zones/{zone}"
        router.add("GET", project + "/zones", self._list_zones)
        router.add("GET", project + "/regions/{region}", self._get_region)
        router.add("GET", project + "/global/images/family/{family}", self._get_image)
        router.add("GET", zone + "/machineTypes/{type}", self._get_machine_type)
        router.add("GET", project + "/aggregated/instances", self._list_all)
        router.add("GET", zone + "/instances", self._list_in_zone)
        router.add("POST", zone + "/instances", self._insert)
        router.add("GET", zone + "/instances/{name}", self._get)
        router.add("DELETE", zone + "/instances/{name}", self._delete)
        router.add("GET", zone + "/instances/{name}/serialPort", self._get_console)
        router.add("GET", zone + "/acceleratorTypes/{type}", self._get_accelerator_type)
        router.add("GET", zone + "/operations", self._list_operations)
        router.add("GET", zone + "/operations/{name}", self._get_operation)
        router.add("POST", "/v3/projects/{project}:testIamPermissions", self._test_permissions)
        return router

    def _list_zones(self, path: dict[str, str], query: dict[str, str], body: Json) -> Json:
        self._require("compute.zones.list", path)
        zones = [{"name": name, "status": "UP", "region": f"x/regions/{name[:-2]}"} for name in ZONES]
        zones.append({"name": OTHER_ZONE, "status": "UP", "region": f"x/regions/{OTHER_ZONE[:-2]}"})
        return self._page(zones, query)

    def _get_region(self, path: dict[str, str], query: dict[str, str], body: Json) -> Json:
        self._require("compute.regions.get", path)
        if path["region"] != REGION:
            message = f"Invalid value for field 'region': '{path['region']}'. Unknown region."
            raise Problem(400, "invalid", message)
        quotas = [
            {"metric": metric, "limit": limit, "usage": self._usage(metric)}
            for metric, limit in self.quotas.items()
        ]
        return {"name": REGION, "status": "UP", "quotas": quotas}

    def _get_image(self, path: dict[str, str], query: dict[str, str], body: Json) -> Json:
        if (path["project"], path["family"]) != (IMAGE_PROJECT, IMAGE_FAMILY):
            where = f"projects/{path['project']}/global/images/family/{path['family']}"
            raise Problem(404, "notFound", f"The resource '{where}' was not found")
        link = f"projects/{IMAGE_PROJECT}/global/images/{IMAGE_FAMILY}-v20261110"
        return {"name": f"{IMAGE_FAMILY}-v20261110", "selfLink": link, "diskSizeGb": "10"}

    def _get_machine_type(self, path: dict[str, str], query: dict[str, str], body: Json) -> Json:
        self._require("compute.machineTypes.get", path)
        cpus = MACHINE_TYPES.get(path["type"])
        if cpus is None:
            where = f"projects/{path['project']}/zones/{path['zone']}/machineTypes/{path['type']}"
            raise Problem(404, "notFound", f"The resource '{where}' was not found")
        return {"name": path["type"], "guestCpus": cpus, "memoryMb": 3840 * cpus}

    def _get_accelerator_type(self, path: dict[str, str], query: dict[str, str], body: Json) -> Json:
        if path["type"] != "nvidia-tesla-t4" or path["zone"] == ZONES[0]:
            where = f"projects/{path['project']}/zones/{path['zone']}/acceleratorTypes/{path['type']}"
            raise Problem(404, "notFound", f"The resource '{where}' was not found")
        return {"name": path["type"], "maximumCardsPerInstance": 4}

    def _get_console(self, path: dict[str, str], query: dict[str, str], body: Json) -> Json:
        self._require("compute.instances.getSerialPortOutput", path)
        self._get(path, query, body)
        text = "" if self.host is None else self.host.console(path["name"])
        prefix = "google_metadata_script_runner[99]: startup-script: "
        return {"contents": "".join(prefix + line for line in text.splitlines(keepends=True)), "start": "0"}

    def _list_all(self, path: dict[str, str], query: dict[str, str], body: Json) -> Json:
        self._require("compute.instances.list", path)
        page = self._page(self._matching(query), query)
        items: Json = {f"zones/{zone}": {"warning": {"code": "NO_RESULTS_ON_PAGE"}} for zone in ZONES}
        for instance in page["items"]:
            scope = items[f"zones/{_last(instance['zone'])}"]
            scope.pop("warning", None)
            scope.setdefault("instances", []).append(instance)
        return {**page, "items": items}

    def _list_in_zone(self, path: dict[str, str], query: dict[str, str], body: Json) -> Json:
        self._require("compute.instances.list", path)
        inside = [one for one in self._matching(query) if _last(one["zone"]) == path["zone"]]
        return self._page(inside, query)

    def _get(self, path: dict[str, str], query: dict[str, str], body: Json) -> Json:
        instance = self.instances.get(path["name"])
        if instance is None or _last(instance["zone"]) != path["zone"]:
            where = f"projects/{path['project']}/zones/{path['zone']}/instances/{path['name']}"
            raise Problem(404, "notFound", f"The resource '{where}' was not found")
        return instance

    def _insert(self, path: dict[str, str], query: dict[str, str], body: Json) -> Json:
        request_id = query.get("requestId", str(next(self._numbers)))
        if (known := self._request_ids.get(request_id)) is not None:
            return known.to_json()
        self._require("compute.instances.create", path, f"instances/{body['name']}")
        _check_body(body)
        if body["name"] in self.instances:
            where = f"projects/{PROJECT}/zones/{path['zone']}/instances/{body['name']}"
            raise Problem(409, "alreadyExists", f"The resource '{where}' already exists")
        self.inserted.append(body)
        instance_id = str(next(self._numbers))
        labels = body.get("labels", {})
        self.instances[body["name"]] = {
            **body,
            "labels": labels,
            "id": instance_id,
            "status": "PROVISIONING",
            "creationTimestamp": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            "zone": f"projects/{PROJECT}/zones/{path['zone']}",
        }
        operation = self._operation(path["zone"], "insert", instance_id, body["name"])
        self._request_ids[request_id] = operation
        return operation.to_json()

    def _delete(self, path: dict[str, str], query: dict[str, str], body: Json) -> Json:
        self._require("compute.instances.delete", path, f"instances/{path['name']}")
        instance = self._get(path, query, body)
        instance["status"] = "STOPPING"
        return self._operation(path["zone"], "delete", instance["id"], path["name"]).to_json()

    def _operation(self, zone: str, kind: str, target_id: str, target: str) -> Operation:
        number = next(self._numbers)
        operation = Operation(f"operation-{number}", zone, kind, target_id, target, is_done=False)
        self.operations.append(operation)
        if not self.holds_operations:
            self._finish(operation)
        return operation

    def _finish(self, operation: Operation) -> None:
        operation.is_done = True
        instance = self.instances.get(operation.target)
        if instance is None:
            return
        if operation.kind == "delete":
            self._remove(operation.target)
        elif operation.kind == "insert":
            operation.errors = self._refusal(instance, operation.zone)
            if operation.errors:
                del self.instances[operation.target]
                return
            instance["status"] = "RUNNING"
            metadata = {item["key"]: item["value"] for item in instance["metadata"]["items"]}
            if self.host is not None:
                self.host.start_machine(operation.target, metadata["startup-script"])

    def _refusal(self, instance: Json, zone: str) -> list[Json]:
        if zone in self.full_zones:
            message = (
                f"The zone 'projects/{PROJECT}/zones/{zone}' does not have enough resources available to "
                "fulfill the request.  Try a different zone, or try again later."
            )
            return [{"code": "ZONE_RESOURCE_POOL_EXHAUSTED", "message": message}]
        for metric, limit in self.quotas.items():
            if self._usage(metric) > limit:
                message = f"Quota '{metric}' exceeded.  Limit: {limit} in region {REGION}."
                return [{"code": "QUOTA_EXCEEDED", "message": message}]
        return []

    def _usage(self, metric: str) -> float:
        return float(sum(_use(instance, metric) for instance in self.instances.values()))

    def _get_operation(self, path: dict[str, str], query: dict[str, str], body: Json) -> Json:
        for operation in self.operations:
            if operation.name == path["name"]:
                return operation.to_json()
        raise Problem(404, "notFound", f"The resource '{path['name']}' was not found")

    def _list_operations(self, path: dict[str, str], query: dict[str, str], body: Json) -> Json:
        self._require("compute.zoneOperations.list", path)
        all_here = [one.to_json() for one in self.operations if one.zone == path["zone"]]
        return self._page([one for one in all_here if matches(query.get("filter", ""), one)], query)

    def _test_permissions(self, path: dict[str, str], query: dict[str, str], body: Json) -> Json:
        return {"permissions": [name for name in body["permissions"] if name in self.permissions]}

    def _require(self, permission: str, path: dict[str, str], resource: str = "") -> None:
        where = f"projects/{path['project']}" + (f"/zones/{path['zone']}/{resource}" if resource else "")
        is_granted = permission in self.permissions or permission not in PERMISSIONS
        if path["project"] != PROJECT or not is_granted:
            raise Problem(403, "forbidden", f"Required '{permission}' permission for '{where}'")

    def _matching(self, query: dict[str, str]) -> list[Json]:
        return [one for one in self.instances.values() if matches(query.get("filter", ""), one)]

    def _page(self, items: list[Json], query: dict[str, str]) -> Json:
        size = min(self.page_size, int(query.get("maxResults", self.page_size)))
        start = int(query.get("pageToken", 0))
        answer: Json = {"items": items[start : start + size]}
        if start + size < len(items):
            answer["nextPageToken"] = str(start + size)
        return answer

    def _end_by_itself(self, name: str, kind: str, message: str, user: str = "system") -> None:
        with self._lock:
            instance = self.instances[name]
            instance["status"] = "STOPPING"
            self._note_operation(_last(instance["zone"]), kind, instance["id"], name, user, message)
            self._remove(name)

    def _note_operation(
        self, zone: str, kind: str, target_id: str, target: str, user: str, message: str
    ) -> None:
        number = next(self._numbers)
        operation = Operation(f"systemevent-{number}", zone, kind, target_id, target, user, message)
        self.operations.append(operation)

    def _remove(self, name: str) -> None:
        """Remove an instance: at once if it is idle, otherwise when its processes are gone."""
        if self.host is None:
            del self.instances[name]
            return
        thread = threading.Thread(target=self._kill_and_remove, args=(self.host, name))
        self._removals.append(thread)
        thread.start()

    def _kill_and_remove(self, host: ProcessHost, name: str) -> None:
        host.kill(name)
        with self._lock:
            self.instances.pop(name, None)

    def _machine_ended(self, ended: Ended) -> None:
        if ended.by_itself:
            self.power_off(ended.name)


def matches(expression: str, item: Json) -> bool:
    """Return whether an item satisfies a filter such as ``labels.run=x`` or ``(name=a) (labels.run:*)``."""
    terms = re.findall(r"\(([^()]*)\)", expression) or [expression]
    return all(_matches_term(term.strip(), item) for term in terms if term.strip())


def _matches_term(term: str, item: Json) -> bool:
    match = re.fullmatch(r"([\w.-]+)\s*(!=|=|:)\s*(.+)", term)
    if match is None:
        raise Problem(
            400, "invalid", f"Invalid value for field 'filter': '{term}'. Invalid list filter expression."
        )
    name, operator, expected = match.groups()
    value: Any = item
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if operator == ":":
        return value is not None
    return (str(value) == expected.strip("'\"")) == (operator == "=")


def _use(instance: Json, metric: str) -> int:
    cpus = MACHINE_TYPES[_last(instance["machineType"])]
    is_spot = instance["scheduling"].get("provisioningModel") == "SPOT"
    if metric == "IN_USE_ADDRESSES":
        return sum(bool(one.get("accessConfigs")) for one in instance["networkInterfaces"])
    if metric == "NVIDIA_T4_GPUS":
        return sum(one["acceleratorCount"] for one in instance.get("guestAccelerators", []))
    return cpus if is_spot == (metric == "PREEMPTIBLE_CPUS") else 0


def _check_body(body: Json) -> None:
    if not re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", body["name"]):
        raise Problem(400, "invalid", f"Invalid value for field 'resource.name': '{body['name']}'.")
    for key, value in body.get("labels", {}).items():
        if not re.fullmatch(r"[a-z][-_a-z0-9]{0,62}", key) or not re.fullmatch(r"[-_a-z0-9]{0,63}", value):
            raise Problem(400, "invalid", f"Invalid value for field 'resource.labels': '{key}={value}'.")
    scheduling = body["scheduling"]
    if "maxRunDuration" in scheduling:
        seconds = int(scheduling["maxRunDuration"]["seconds"])
        if not _MIN_RUN_DURATION_S <= seconds <= _MAX_RUN_DURATION_S:
            field_name = "resource.scheduling.maxRunDuration"
            raise Problem(400, "invalid", f"Invalid value for field '{field_name}': '{seconds}'.")
        assert scheduling["instanceTerminationAction"] == "DELETE", "it would be stopped, and kept"
    if scheduling.get("provisioningModel") == "SPOT" or body.get("guestAccelerators"):
        assert scheduling["onHostMaintenance"] == "TERMINATE", "the service refuses live migration here"


def _last(link: str) -> str:
    return link.rpartition("/")[2]
