"""What the states of a block's machines mean for the block: a plain decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from parsl.providers.machines.cloud import End, Machine, MachineState
from parsl.vocabulary.job_states import JobState, JobStatus

#: A service may not list machines that it has created more recently than this, in seconds.
FRESH_S = 60.0
#: A machine that shuts itself down this long before its walltime was up, or later, did so because of it (s).
WALLTIME_MARGIN_S = 30.0

#: The meaning of each end, the most serious first. A reclaimed machine counts like a job that a scheduler has
#: preempted: its tasks are retried, which does not count as one of their retries.
_ENDS = {
    End.FAULT: JobState.FAILED,
    End.RECLAIMED: JobState.CANCELLED,
    End.REQUESTED: JobState.CANCELLED,
    End.ITSELF: JobState.COMPLETED,
}
_WORDS = {
    End.FAULT: "the service could not start the machine, or has lost it",
    End.RECLAIMED: "the service has reclaimed the machine",
    End.REQUESTED: "the machine was terminated",
    End.ITSELF: "the machine has shut itself down, as its job has ended",
}


def block_status(
    machine_ids: Sequence[str], listed: Mapping[str, Machine], age_s: float, walltime_s: float
) -> JobStatus:
    """Return the status of a block.

    The block runs as long as one of its machines does.

    Args:
        machine_ids: The machines that were created for the block.
        listed: What the service lists, by the id of the machine.
        age_s: How long ago the machines were created, in seconds.
        walltime_s: When machines end by themselves, in seconds.
    """
    known = [listed[machine_id] for machine_id in machine_ids if machine_id in listed]
    states = {machine.state for machine in known}
    ended = [machine for machine in known if machine.state in (MachineState.STOPPED, MachineState.ENDED)]
    if MachineState.RUNNING in states:
        return JobStatus(JobState.RUNNING, _lost(ended, len(machine_ids)))
    if MachineState.STARTING in states or (len(known) < len(machine_ids) and age_s < FRESH_S):
        return JobStatus(JobState.PENDING, _lost(ended, len(machine_ids)))
    if not ended:
        return JobStatus(JobState.MISSING, f"the service does not list {', '.join(machine_ids)} any more")
    return _ended_status(ended, age_s >= walltime_s - WALLTIME_MARGIN_S)


def _ended_status(ended: list[Machine], is_walltime: bool) -> JobStatus:
    ends = list(_ENDS)
    worst = min(ended, key=lambda machine: ends.index(machine.end) if machine.end else len(ends))
    if worst.end is None:
        return JobStatus(JobState.MISSING, _describe(worst))
    if worst.end is End.ITSELF and is_walltime:
        return JobStatus(JobState.TIMEOUT, f"{worst.machine_id} has shut itself down: its walltime was up")
    return JobStatus(_ENDS[worst.end], _describe(worst))


def _lost(ended: list[Machine], total: int) -> str | None:
    if not ended:
        return None
    return f"{len(ended)} of {total} machines have ended: {'; '.join(map(_describe, ended))}"


def _describe(machine: Machine) -> str:
    words = "the machine has ended" if machine.end is None else _WORDS[machine.end]
    return f"{machine.machine_id}: {words}" + (f" ({machine.reason})" if machine.reason else "")
