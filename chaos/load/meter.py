"""CPU time and memory of the processes of a load test, by phase."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import psutil


@dataclass(frozen=True)
class Phase:
    """One part of a run.

    Attributes:
        seconds: The duration of the phase.
        cpu: The mean number of busy cores of each role.
    """

    name: str
    seconds: float
    cpu: dict[str, float]


@dataclass
class Meter:
    """Measures CPU time and memory (bytes) by role.

    Attributes:
        roles: The processes of each role.
    """

    roles: dict[str, list[psutil.Process]]
    phases: list[Phase] = field(default_factory=list)
    peak_memory: dict[str, int] = field(default_factory=dict)
    _began_s: float = field(default_factory=time.monotonic)
    _before: dict[str, float] = field(default_factory=dict)

    def begin(self) -> None:
        """Begin a phase."""
        self._began_s, self._before = time.monotonic(), self._busy_s()

    def end(self, name: str) -> Phase:
        """End the phase, and begin the next one."""
        before, seconds = self._before, time.monotonic() - self._began_s
        self.begin()
        cpu = {role: (busy_s - before[role]) / seconds for role, busy_s in self._before.items()}
        self.phases.append(Phase(name, seconds, cpu))
        self.look()
        return self.phases[-1]

    def look(self) -> None:
        """Update the peak memory of each role."""
        for role, processes in self.roles.items():
            memory = sum(process.memory_info().rss for process in processes)
            self.peak_memory[role] = max(memory, self.peak_memory.get(role, 0))

    def _busy_s(self) -> dict[str, float]:
        return {role: sum(map(_busy_s, processes)) for role, processes in self.roles.items()}


def _busy_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
