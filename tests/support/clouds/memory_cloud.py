"""A cloud in memory, whose machines are processes of this machine: see the module ``processes``."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from parsl.launchers.base import Launcher
from parsl.launchers.launchers import SingleNodeLauncher
from parsl.providers.api.failure import Failure, FailureKind, ServiceError
from parsl.providers.machines.cloud import (
    Created,
    End,
    Machine,
    MachineSpec,
    MachineState,
    Refused,
    checked_ids,
)
from parsl.providers.machines.provider import MachineProvider
from parsl.vocabulary.findings import Finding
from tests.support.clouds.processes import Ended, ProcessHost


class MemoryCloud:
    """Implements the protocol Cloud; tests change the attributes to make requests fail."""

    service = "Memory"

    def __init__(self, directory: Path) -> None:
        self.host = ProcessHost(directory, self._ended)
        self.known: dict[str, Machine] = {}
        self.specs: list[MachineSpec] = []
        #: How many more machines may be created; the others are refused for this reason.
        self.quota = 1000
        self.refusal = Refused(FailureKind.QUOTA, "you have no quota left")
        #: Raised by the requests of this name.
        self.failing: dict[str, FailureKind] = {}
        self.findings: list[Finding] = []
        self.access_findings: list[Finding] = []
        self.price: float | None = 0.5
        self._numbers = itertools.count()

    def _request(self, name: str) -> None:
        if kind := self.failing.get(name):
            raise ServiceError(self.service, name, Failure(kind, "the test refuses this"))

    def address(self) -> dict[str, str]:
        return {"region": "here"}

    def check_access(self) -> list[Finding]:
        return self.access_findings

    def check(self) -> list[Finding]:
        return self.findings

    def create(self, specs: Sequence[MachineSpec]) -> list[Created | Refused]:
        self._request("create")
        answers: list[Created | Refused] = []
        for spec in specs:
            if self.quota <= 0:
                answers.append(self.refusal)
                continue
            self.quota -= 1
            self.specs.append(spec)
            machine_id = f"m-{next(self._numbers)}"
            self.known[machine_id] = Machine(
                machine_id, MachineState.RUNNING, spec.run, spec.block, spec.node
            )
            self.host.start_machine(machine_id, spec.user_data)
            answers.append(Created(machine_id))
        return answers

    def list_run(self, run: str) -> list[Machine]:
        self._request("list")
        return [machine for machine in list(self.known.values()) if machine.run == run]

    def list_all_runs(self) -> list[Machine]:
        return [one for one in list(self.known.values()) if one.state is not MachineState.ENDED]

    def terminate(self, machine_ids: Sequence[str]) -> None:
        self._request("terminate")
        for machine_id in checked_ids(machine_ids):
            self.end(machine_id, End.REQUESTED)

    def price_per_hour(self) -> float | None:
        return self.price

    def console_output(self, machine_id: str) -> str:
        return self.host.console(machine_id)

    def end(self, machine_id: str, end: End, reason: str = "") -> None:
        """End a machine, as the service would."""
        self._set_ended(machine_id, end, reason)
        self.host.kill(machine_id)

    def _ended(self, ended: Ended) -> None:
        if ended.by_itself:
            self._set_ended(ended.name, End.ITSELF)

    def _set_ended(self, machine_id: str, end: End, reason: str = "") -> None:
        machine = self.known[machine_id]
        if machine.end is None:
            self.known[machine_id] = replace(machine, state=MachineState.ENDED, end=end, reason=reason)


class MemoryProvider(MachineProvider):
    """A provider of machines of a MemoryCloud."""

    label = "memory"
    sleep = staticmethod(lambda seconds: None)

    def __init__(
        self,
        memory: MemoryCloud,
        nodes_per_block: int = 1,
        init_blocks: int = 1,
        min_blocks: int = 0,
        max_blocks: int = 10,
        parallelism: float = 1,
        worker_init: str = "",
        walltime: str = "01:00:00",
        linger: bool = False,
        state_file: str | None = None,
        launcher: Launcher = SingleNodeLauncher(),
        max_machine_hours: float | None = None,
        price_per_hour: float | None = None,
    ) -> None:
        self.memory = memory
        self.configure(locals())

    def make_cloud(self) -> MemoryCloud:
        return self.memory
