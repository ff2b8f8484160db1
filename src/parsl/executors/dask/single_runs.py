"""What runs inside the scheduler of Dask: the cluster runs each task of Parsl once, and reports its workers.

Dask starts the tasks of a lost worker again, three times by default, and computes lost results again. With
Parsl, retries are the kernel's, which counts them. The plugin changes that for its own client's tasks only.
"""

from __future__ import annotations

from typing import Any

from distributed.diagnostics.plugin import SchedulerPlugin

from parsl.executors.dask.topics import is_task_key, worker_topic


class SingleRuns(SchedulerPlugin):  # type: ignore[misc]
    """Fails the tasks of one client with the first worker that is lost with them, and reports workers to it.

    Args:
        client: The id of the client.
    """

    def __init__(self, client: str) -> None:
        self.client = client
        self.name = f"parsl-single-runs-{client}"
        self._scheduler: Any = None

    async def start(self, scheduler: Any) -> None:
        """Keep the scheduler, which the later calls do not all pass."""
        self._scheduler = scheduler

    def update_graph(self, scheduler: Any, *, client: str, keys: Any, **_: Any) -> None:
        """Count earlier losses for new tasks, so that the next one is one too many."""
        if client == self.client:
            for key in keys:
                if (state := scheduler.tasks.get(key)) is not None and is_task_key(key):
                    state.suspicious = scheduler.allowed_failures

    def transition(self, key: Any, start: str, finish: str, *_: Any, **__: Any) -> None:
        """Make a result plain data, which the scheduler cannot compute again."""
        if finish == "memory" and is_task_key(key):
            self._scheduler.tasks[key].run_spec = None

    def add_worker(self, scheduler: Any, worker: str) -> None:
        """Report a new worker."""
        scheduler.log_event(worker_topic(self.client), worker)

    def remove_worker(self, scheduler: Any, worker: str, **_: Any) -> None:
        """Report that a worker has left."""
        scheduler.log_event(worker_topic(self.client), worker)

    def remove_client(self, scheduler: Any, client: str) -> None:
        """Leave the scheduler together with the client."""
        if client == self.client:
            scheduler.remove_plugin(self.name)
