"""The state of a machine of Compute Engine, and how it has ended: read from the service's answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from parsl.providers.googlecloud.instance import Json
from parsl.providers.machines.cloud import End, Machine, MachineState
from parsl.providers.machines.tags import tagged_machine

#: The states of an instance. One that is STOPPED or TERMINATED still exists, with its disk.
_STATES = {
    "PENDING": MachineState.STARTING,
    "PROVISIONING": MachineState.STARTING,
    "STAGING": MachineState.STARTING,
    "RUNNING": MachineState.RUNNING,
    "REPAIRING": MachineState.RUNNING,
    "SUSPENDING": MachineState.RUNNING,
    "SUSPENDED": MachineState.RUNNING,
    "PENDING_STOP": MachineState.ENDED,
    "STOPPING": MachineState.ENDED,
    "STOPPED": MachineState.ENDED,
    "TERMINATED": MachineState.ENDED,
    "DEPROVISIONING": MachineState.ENDED,
}
#: States in which an instance is kept until it is deleted.
STOPPED_STATES = frozenset({"STOPPED", "TERMINATED"})

#: Types of operations that end an instance.
_ENDS = {
    "compute.instances.preempted": End.RECLAIMED,
    "compute.instances.hostError": End.FAULT,
    "compute.instances.terminateOnHostMaintenance": End.FAULT,
    "compute.instances.guestTerminate": End.ITSELF,
    "delete": End.REQUESTED,
    "stop": End.REQUESTED,
}
#: The user of operations that no account has requested: a deletion by it is that at the time limit.
_SERVICE = "system"
_SYSTEM_PREFIX = "compute.instances."


def machine_of(instance: Json) -> Machine:
    """Return an instance as a machine; how it has ended is not in it."""
    labels = instance.get("labels", {})
    status = str(instance["status"])
    reason = str(instance.get("statusMessage") or status)
    state, created = _STATES.get(status, MachineState.RUNNING), instance.get("creationTimestamp")
    return tagged_machine(str(instance["name"]), state, labels, reason=reason, created=created)


def end_of(instance_id: str, operations: Iterable[Mapping[str, Any]]) -> tuple[End | None, str]:
    """Return how an instance has ended, and the service's words for it.

    A machine that the service preempts or stops has another operation before its deletion; that is the cause.

    Args:
        instance_id: The number of the instance.
        operations: Operations of its zone, in any order.
    """
    causes = [
        operation
        for operation in operations
        if str(operation.get("targetId")) == instance_id and _end(str(operation.get("operationType")))
    ]
    if not causes:
        return None, ""
    first = min(causes, key=lambda operation: str(operation.get("insertTime", "")))
    kind, user = str(first["operationType"]), str(first.get("user", ""))
    end = End.ITSELF if user == _SERVICE and _end(kind) is End.REQUESTED else _end(kind)
    return end, _describe(kind, user, str(first.get("statusMessage", "")))


def _end(kind: str) -> End | None:
    if kind in _ENDS:
        return _ENDS[kind]
    if not kind.startswith(_SYSTEM_PREFIX):
        return None
    # Of what the service does with a machine by itself, the end at its time limit remains.
    return End.ITSELF if "terminat" in kind.lower() or "delet" in kind.lower() else None


def _describe(kind: str, user: str, message: str) -> str:
    by = f" by {user}" if user and not kind.startswith(_SYSTEM_PREFIX) else ""
    return f"{kind}{by}" + (f": {message}" if message else "")
