"""A passive executor and a passive provider."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from parsl.executors.blocks.block_set import BlockListener
from parsl.executors.status_handling import BlockProviderExecutor
from parsl.jobs.states import JobState, JobStatus
from parsl.providers.base import ExecutionProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from parsl.executors.blocks.views import BlockActivity


class FakeProvider(ExecutionProvider):
    """Its jobs are "j1", "j2", ...; ``states`` has their statuses. It allows only one call at a time."""

    submits_at_once = True

    def __init__(self, init_blocks: int = 1, max_blocks: int = 5) -> None:
        self.set_block_limits(
            nodes_per_block=2, init_blocks=init_blocks, min_blocks=0, max_blocks=max_blocks, parallelism=1
        )
        self.states: dict[object, JobStatus] = {}
        self.commands: list[tuple[str, str]] = []
        self.cancellations: list[list[object]] = []
        self.queries: list[list[object]] = []
        self.before_submit_returns: Callable[[str], None] = lambda job_id: None
        self.raises: Exception | None = None
        self.tries = 0
        self.started_jobs: set[object] = set()
        self.cancels = True
        self.interval_s = 30
        self._busy = threading.Lock()

    @property
    def label(self) -> str:
        return "fake"

    @property
    def status_polling_interval(self) -> int:
        return self.interval_s

    @property
    def cancelled(self) -> list[object]:
        """Every job that was cancelled, in the order of the calls."""
        return [job_id for job_ids in self.cancellations for job_id in job_ids]

    def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl.auto") -> object:
        assert self._busy.acquire(blocking=False), "two calls at once"
        try:
            self.tries += 1
            self._raise_if_set()
            self.commands.append((command, job_name))
            job_id = f"j{len(self.commands)}"
            self.states[job_id] = JobStatus(JobState.PENDING)
            self.before_submit_returns(job_id)
            return job_id
        finally:
            self._busy.release()

    def status(self, job_ids: Sequence[object]) -> Sequence[JobStatus]:
        assert self._busy.acquire(blocking=False), "two calls at once"
        try:
            self.queries.append(list(job_ids))
            self._raise_if_set()
            return [self.states[job_id] for job_id in job_ids]
        finally:
            self._busy.release()

    def cancel(self, job_ids: Sequence[object]) -> Sequence[bool]:
        assert self._busy.acquire(blocking=False), "two calls at once"
        try:
            self._raise_if_set()
            self.cancellations.append(list(job_ids))
            return [self.cancels] * len(job_ids)
        finally:
            self._busy.release()

    def has_changed(self, job_ids: Sequence[object]) -> bool:
        return not self.started_jobs.isdisjoint(job_ids)

    def _raise_if_set(self) -> None:
        if self.raises is not None:
            raise self.raises


class CountingListener(BlockListener):
    def __init__(self) -> None:
        self.changes = 0

    def blocks_changed(self) -> None:
        self.changes += 1


class FakeExecutor(BlockProviderExecutor):
    label = "fake"

    def __init__(self, provider: ExecutionProvider | None, handler: Any = True) -> None:
        self.now_s = 0.0
        super().__init__(provider=provider, block_error_handler=handler, clock=lambda: self.now_s)
        self.activity: dict[str, BlockActivity] | None = {}
        self.heard = CountingListener()
        self.blocks.add_listener(self.heard)

    def launch_command(self, block_id: str) -> str:
        return f"manager --block {block_id}"

    def block_activity(self) -> dict[str, BlockActivity] | None:
        return self.activity

    @property
    def workers_per_node(self) -> int | float | None:
        return 4

    def submit(self, func: Any, resource_specification: Any, *args: Any, **kwargs: Any) -> Future[Any]:
        self.raise_if_bad()
        future: Future[Any] = Future()
        self.tasks[len(self.tasks)] = future
        return future

    def shutdown(self) -> None:
        self.blocks.cancel_all()
