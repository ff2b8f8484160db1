"""The driver's side of the load test: an executor that records managers, and a provider of empty jobs."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from parsl import HighThroughputExecutor
from parsl.executors.high_throughput.wire.protocol import ManagerGone, ManagerInfo
from parsl.jobs.states import JobState, JobStatus
from parsl.providers.base import ExecutionProvider

_GIVEN_UP = re.compile(r"(?P<time>\S+ \S+) \S+ WARNING: manager (?P<manager>\w+) on \S+ is gone")


class MachineProvider(ExecutionProvider):
    """A provider whose jobs always run; the fleets simulate what runs in them."""

    submits_at_once = True
    label = "machine"
    status_polling_interval = 30

    def __init__(self, blocks: int, nodes_per_block: int) -> None:
        super().__init__()
        self.set_block_limits(
            nodes_per_block=nodes_per_block,
            init_blocks=blocks,
            min_blocks=blocks,
            max_blocks=blocks,
            parallelism=1,
        )
        self._jobs = 0

    def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl.auto") -> object:
        self._jobs += 1
        return str(self._jobs)

    def status(self, job_ids: Sequence[object]) -> list[JobStatus]:
        return [JobStatus(JobState.RUNNING) for _ in job_ids]

    def cancel(self, job_ids: Sequence[object]) -> list[bool]:
        return [True for _ in job_ids]


class WatchedExecutor(HighThroughputExecutor):
    """An executor that records when managers connect and when they are lost, in seconds since the epoch."""

    def __init__(self, **options: Any) -> None:
        self.joined: dict[str, float] = {}
        self.gone: dict[str, float] = {}
        super().__init__(**options)

    @property
    def interchange_pid(self) -> int:
        """The process id of the interchange."""
        return self.engine.supervisor.process.pid

    def given_up(self) -> dict[str, float]:
        """Return when the interchange gave up managers, according to its log, in seconds since the epoch."""
        found = {}
        for line in Path(self.logdir, "interchange.log").read_text().splitlines():
            if match := _GIVEN_UP.match(line):
                moment = datetime.strptime(match["time"], "%Y-%m-%d %H:%M:%S,%f")
                found.setdefault(match["manager"], moment.timestamp())
        return found

    def manager_connected(self, info: ManagerInfo) -> None:
        self.joined[info.manager] = time.time()
        super().manager_connected(info)

    def manager_gone(self, gone: ManagerGone) -> None:
        self.gone[gone.manager] = time.time()
        super().manager_gone(gone)
