"""The blocks of one run of a provider: their machines, their age, and how they have ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from parsl.providers.machines.block_status import block_status
from parsl.providers.machines.cloud import Machine, MachineState, machine_name
from parsl.vocabulary.job_states import JobState, JobStatus

_LINGERS = "cancelled; its machines linger until their walltime"


@dataclass
class MachineBlock:
    """One block: its machines."""

    name: str
    machine_ids: list[str]
    created_s: float
    walltime_s: float
    is_cancelled: bool = False
    final: JobStatus | None = None  #: the status once the block has ended


class MachineBlocks:
    """The blocks of a run by their names. Not thread-safe; times are on the provider's clock."""

    def __init__(self) -> None:
        self._blocks: dict[object, MachineBlock] = {}

    def __repr__(self) -> str:
        return f"<MachineBlocks {len(self._blocks)}, {len(self.live())} live>"

    def add(self, name: str, machine_ids: list[str], created_s: float, walltime_s: float) -> None:
        self._blocks[name] = MachineBlock(name, machine_ids, created_s, walltime_s)

    def live(self, names: Iterable[object] | None = None) -> list[MachineBlock]:
        """Return the blocks that are not known to have ended; with ``names``, those of these names."""
        chosen = self._blocks if names is None else dict.fromkeys(names)
        found = (self._blocks.get(name) for name in chosen)
        return [block for block in found if block is not None and block.final is None]

    def knows(self, name: object) -> bool:
        return name in self._blocks

    def cancelled(self, blocks: Iterable[MachineBlock], *, lingers: bool) -> None:
        """Record that blocks were cancelled; if their machines linger, they count as ended."""
        for block in blocks:
            block.is_cancelled = True
            if lingers:
                block.final = JobStatus(JobState.CANCELLED, _LINGERS)

    def observe(self, block: MachineBlock, listed: Mapping[str, Machine], now_s: float) -> JobStatus:
        """Return the status of a block according to a listing of the service."""
        status = block_status(block.machine_ids, listed, now_s - block.created_s, block.walltime_s)
        if status.terminal and block.is_cancelled:
            status = JobStatus(JobState.CANCELLED, "the machines were terminated on request")
        if status.terminal:
            block.final = status
        return status

    def final(self, name: object) -> JobStatus | None:
        """Return the status of a block that has ended, or that never existed; None of a live one."""
        block = self._blocks.get(name)
        if block is None:
            return JobStatus(JobState.MISSING, f"block {name!r} was not started by this provider")
        return block.final

    def saved(self) -> dict[str, list[str]]:
        """Return the machines of the live blocks, for the state file."""
        return {block.name: block.machine_ids for block in self.live()}

    def ended_names(self, listed: Mapping[str, Machine]) -> list[str]:
        """Return the names of the machines that are known to have ended."""
        ended = [machine.name for machine in listed.values() if machine.state is MachineState.ENDED]
        gone = [block for block in self._blocks.values() if block.final is not None and not _lingers(block)]
        return [*ended, *(machine_name(b.name, node) for b in gone for node in range(len(b.machine_ids)))]

    def orphans(self, listed: Mapping[str, Machine]) -> list[str]:
        """Return machines that run, and that no block knows: the answer to a request was lost."""
        own = {machine_id for block in self._blocks.values() for machine_id in block.machine_ids}
        return [id_ for id_, one in listed.items() if one.state is not MachineState.ENDED and id_ not in own]


def _lingers(block: MachineBlock) -> bool:
    return block.final is not None and block.final.message == _LINGERS
