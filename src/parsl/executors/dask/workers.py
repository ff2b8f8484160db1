"""What is known about the workers of a Dask cluster, updated by events of the plugin in its scheduler."""

from __future__ import annotations

import asyncio
import inspect
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from parsl.executors.blocks.views import BlockActivity
from parsl.executors.dask.topics import is_task_key, worker_topic
from parsl.executors.engines.requests import Node

MB = 1_000_000
#: The abstract resource that stands for GPUs by Dask's convention.
GPU = "GPU"
#: The abstract resource by which workers may declare memory, in bytes, as in Dask's documentation.
MEMORY = "MEMORY"
#: The names of workers of our blocks begin with this, the block's id, and a hyphen.
NAME_PREFIX = "parsl-block-"


class Worker(NamedTuple):
    """One worker process of the cluster."""

    address: str
    host: str
    name: str
    threads: int
    #: Bytes; 0 if not limited.
    memory_limit: int
    resources: Mapping[str, float]

    @property
    def block(self) -> str | None:
        """The id of the block that it belongs to; None if it is not one of ours."""
        if not self.name.startswith(NAME_PREFIX):
            return None
        return self.name[len(NAME_PREFIX) :].split("-", 1)[0]

    @property
    def node(self) -> Node:
        """What it has for a task."""
        return node_with(self.memory_limit, self.resources)


def node_with(memory_limit: float, resources: Mapping[str, float]) -> Node:
    """Return what a worker has for a task.

    Args:
        memory_limit: Bytes; 0 if not limited.
        resources: The abstract resources that the worker declares.
    """
    memory_bytes = min(memory_limit or math.inf, resources.get(MEMORY, math.inf))
    return Node(memory=memory_bytes / MB, gpus=resources.get(GPU, 0), resources=resources)


class WorkerTable:
    """The workers of a cluster. The loop of Dask's client updates the table, any thread may read it.

    Args:
        client: The ``distributed.Client``.
        on_change: Called in the loop with the ids of the blocks whose first worker has come, and with the
            number of workers that were lost.
    """

    def __init__(self, client: Any, on_change: Callable[[set[str], int], object]) -> None:
        self._client = client
        self._on_change = on_change
        #: By address. The table is replaced, never changed.
        self.workers: Mapping[str, Worker] = {}
        #: The number of tasks, and of their results, that each worker holds, by address, as of the last look.
        self._held: Mapping[str, int] = {}
        self._idle_since_s: dict[str, float] = {}
        self._is_updating = False
        self._must_update = False

    def follow(self) -> None:
        """Read which workers there are, and follow changes from now on."""
        self._client.subscribe_topic(worker_topic(self._client.id), self._event)
        self._client.sync(self._update)

    def stop(self) -> None:
        """Stop following changes, and unsubscribe unless the scheduler is lost."""
        if self._client.status == "running":
            self._client.loop.add_callback(self._client.unsubscribe_topic, worker_topic(self._client.id))

    def _event(self, event: tuple[float, Any]) -> None:
        self.refresh_soon()

    def refresh_soon(self) -> None:
        """Look again, without waiting; called in the loop."""
        self._must_update = True
        if not self._is_updating:
            self._update_task = asyncio.ensure_future(self._update_until_current())

    async def _update_until_current(self) -> None:
        self._is_updating = True
        try:
            while self._must_update:
                self._must_update = False
                await self._update()
        except (OSError, RuntimeError):
            pass  # the scheduler is lost, which is detected elsewhere
        finally:
            self._is_updating = False

    async def _update(self) -> None:
        scheduler = self._client.scheduler
        before = self.workers
        identity = await scheduler.identity(**_all_workers(type(self._client)))
        workers = {address: read_worker(address, facts) for address, facts in identity["workers"].items()}
        if any(worker.block is not None for worker in workers.values()):
            processing = await scheduler.processing(workers=list(workers))
            results = await scheduler.has_what(workers=list(workers))
            self._held = {
                address: len(keys) + sum(is_task_key(key) for key in results.get(address, ()))
                for address, keys in processing.items()
            }
        self.workers = workers
        self._note_idle(time.monotonic())
        joined = {worker.block for worker in workers.values()} - {worker.block for worker in before.values()}
        self._on_change({block for block in joined if block is not None}, len(before.keys() - workers.keys()))

    def _note_idle(self, now_s: float) -> None:
        blocks = {worker.block for worker in self.workers.values() if worker.block is not None}
        busy = {worker.block for worker in self.workers.values() if self._held.get(worker.address)}
        self._idle_since_s = {block: self._idle_since_s.get(block, now_s) for block in blocks - busy}

    def by_block(self) -> dict[str, BlockActivity]:
        """Return what our blocks are doing, as of the last look."""
        now_s = time.monotonic()
        members: dict[str, list[Worker]] = {}
        for worker in self.workers.values():
            if worker.block is not None:
                members.setdefault(worker.block, []).append(worker)
        return {
            block: BlockActivity(
                managers=len({worker.host for worker in workers}),
                workers=sum(worker.threads for worker in workers),
                tasks=sum(self._held.get(worker.address, 0) for worker in workers),
                idle_s=now_s - self._idle_since_s.get(block, now_s),
            )
            for block, workers in members.items()
        }


def read_worker(address: str, facts: Mapping[str, Any]) -> Worker:
    """Return what the scheduler reports about a worker."""
    return Worker(
        address=address,
        host=str(facts.get("host") or address),
        name=str(facts.get("name") or ""),
        threads=int(facts.get("nthreads") or 1),
        memory_limit=int(facts.get("memory_limit") or 0),
        resources=dict(facts.get("resources") or {}),
    )


def _all_workers(client_class: Any) -> dict[str, int]:
    """Return the argument by which newer versions name all workers instead of the first five."""
    return (
        {"n_workers": -1} if "n_workers" in inspect.signature(client_class.scheduler_info).parameters else {}
    )
