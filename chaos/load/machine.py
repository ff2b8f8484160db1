"""The driver of the load: an executor that writes down who comes and goes, blocks that nobody starts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from parsl import HighThroughputExecutor
from parsl.executors.high_throughput.protocol import ManagerGone, ManagerJoined
from parsl.jobs.states import JobState, JobStatus
from parsl.providers.base import ExecutionProvider


class MachineProvider(ExecutionProvider):
    """Its jobs run from the beginning to the end; what runs in them is started by others."""

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
    """Knows when, on the machine's monotonic clock, the driver heard of each manager's coming and going."""

    def __init__(self, **options: Any) -> None:
        self.joined: dict[str, float] = {}
        self.gone: dict[str, float] = {}
        super().__init__(**options)

    @property
    def interchange_pid(self) -> int:
        """The process between the driver and the managers."""
        assert self._engine is not None
        assert self._engine._process is not None
        return self._engine._process.pid

    def _take_event(self, message: Any) -> None:
        if isinstance(message, ManagerJoined):
            self.joined[message.info.manager] = time.monotonic()
        elif isinstance(message, ManagerGone):
            self.gone[message.manager] = time.monotonic()
        super()._take_event(message)
