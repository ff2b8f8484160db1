"""The states of machines, as Azure reports them, in terms that all clouds share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from parsl.providers.machines.cloud import End, MachineState

_PROVISIONING, _POWER = "ProvisioningState/", "PowerState/"


class Status(NamedTuple):
    """One line of a machine's instance view, such as ``PowerState/running``."""

    code: str
    message: str = ""


@dataclass(frozen=True)
class Observation:
    """The state of a machine, how it has ended, and the service's words."""

    state: MachineState
    end: End | None = None
    reason: str = ""


RUNNING = Observation(MachineState.RUNNING)
STARTING = Observation(MachineState.STARTING)
#: Of a machine that Parsl has deleted.
DELETED = Observation(MachineState.ENDED, End.REQUESTED, "the machine is being deleted")
#: Power states of machines that do not run, and will not.
_ENDED_POWER = {
    "stopping": Observation(MachineState.ENDED, End.ITSELF, "the machine is shutting down"),
    "stopped": Observation(MachineState.ENDED, End.ITSELF, "the machine has shut down"),
    # Azure keeps such a machine, and bills its disk, until it is deleted.
    "deallocating": Observation(MachineState.STOPPED, End.REQUESTED, "the machine is being deallocated"),
    "deallocated": Observation(MachineState.STOPPED, End.REQUESTED, "the machine was deallocated"),
}


def needs_view(provisioning_state: str) -> bool:
    """Return whether only a machine's instance view shows its state."""
    return provisioning_state.lower() not in ("creating", "deleting")


def observe(provisioning_state: str, statuses: Sequence[Status] = ()) -> Observation:
    """Return the state of a machine that the service lists.

    Args:
        provisioning_state: The state of the last request about it, such as ``Succeeded``.
        statuses: Its instance view.
    """
    if provisioning_state.lower() == "deleting":
        return DELETED
    powers = [one.code.removeprefix(_POWER).lower() for one in statuses if one.code.startswith(_POWER)]
    if powers and powers[-1] == "running":  # also if the service has not noticed that it has booted
        return RUNNING
    if failure := _failure(statuses):
        return Observation(MachineState.ENDED, End.FAULT, failure)
    return _ENDED_POWER.get(powers[-1], STARTING) if powers else STARTING


def gone(is_spot: bool, deletes_itself: bool, is_walltime: bool = False) -> Observation:
    """Return the state of a machine that no longer exists, though Parsl has not deleted it.

    Args:
        is_spot: Whether Azure may have evicted the machine.
        deletes_itself: Whether the machine may have deleted itself.
        is_walltime: Whether its walltime was up, or nearly.
    """
    if is_spot and not (deletes_itself and is_walltime):
        other = "it has deleted itself" if deletes_itself else "another program has deleted it"
        return Observation(
            MachineState.ENDED, End.RECLAIMED, f"Azure has evicted the spot machine, or {other}"
        )
    if deletes_itself:
        return Observation(MachineState.ENDED, End.ITSELF, "the machine has deleted itself")
    return Observation(MachineState.ENDED, End.REQUESTED, "another program has deleted the machine")


def _failure(statuses: Sequence[Status]) -> str:
    prefix = f"{_PROVISIONING}failed/"
    for status in statuses:
        if status.code.lower().startswith(prefix.lower()):
            return f"{status.code[len(prefix) :]}: {status.message}"
    return ""
