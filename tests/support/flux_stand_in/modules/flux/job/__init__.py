"""A stand-in for ``flux.job``: runs the processes of jobs while there are cores for them."""

from __future__ import annotations

import os
import subprocess
import threading
from concurrent.futures import Future
from typing import Any

from flux.resource import resource_list

_jobs: dict[int, FluxExecutorFuture] = {}


class JobException(Exception):
    """A job has got an exception."""


class JobspecV1:
    """What a job is."""

    def __init__(self, command: list[str], tasks: int, cores: int, gpus: int, nodes: int) -> None:
        self.command, self.tasks, self.cores, self.gpus, self.nodes = command, tasks, cores, gpus, nodes
        self.cwd: str | None = None
        self.environment: dict[str, str] = {}
        self.stdout: str | None = None
        self.stderr: str | None = None

    @classmethod
    def from_command(
        cls,
        command: list[str],
        num_tasks: int = 1,
        cores_per_task: int = 1,
        gpus_per_task: int | None = None,
        num_nodes: int | None = None,
    ) -> JobspecV1:
        if num_nodes is not None and num_nodes > num_tasks:
            raise ValueError("node count must not be greater than task count")
        return cls(command, num_tasks, num_tasks * cores_per_task, gpus_per_task or 0, num_nodes or 0)


class FluxExecutorFuture(Future[int]):
    """The exit code of a job."""

    def __init__(self, number: int, spec: JobspecV1, executor: FluxExecutor) -> None:
        super().__init__()
        self.number, self.spec = number, spec
        self.executor = executor
        self.processes: list[subprocess.Popen[bytes]] = []
        self.is_cancelled = False

    def jobid(self, timeout: float | None = None) -> int:
        return self.number


class FluxExecutor:
    """Starts jobs in order while there are cores."""

    def __init__(self, threads: int = 1, **options: Any) -> None:
        self._lock = threading.Lock()
        self._free = resource_list(None).get().up.ncores
        self._queue: list[FluxExecutorFuture] = []
        self._count = 0

    def submit(self, spec: JobspecV1) -> FluxExecutorFuture:
        self._count += 1
        future = FluxExecutorFuture(self._count, spec, self)
        _jobs[self._count] = future
        if spec.cores > resource_list(None).get().up.ncores:
            future.set_exception(JobException("alloc: unsatisfiable request"))
            return future
        with self._lock:
            self._queue.append(future)
        self._start_some()
        return future

    def _start_some(self) -> None:
        with self._lock:
            while self._queue and self._queue[0].spec.cores <= self._free:
                future = self._queue.pop(0)
                if not future.set_running_or_notify_cancel():
                    continue
                self._free -= future.spec.cores
                self._start(future)
                threading.Thread(target=self._wait, args=(future,), daemon=True).start()

    def _start(self, future: FluxExecutorFuture) -> None:
        spec = future.spec
        with open(spec.stdout or os.devnull, "wb") as output:
            for rank in range(spec.tasks):
                size = {"FLUX_TASK_RANK": str(rank), "FLUX_JOB_SIZE": str(spec.tasks)}
                future.processes.append(
                    subprocess.Popen(
                        spec.command,
                        cwd=spec.cwd,
                        env={**spec.environment, **size},
                        stdout=output,
                        stderr=output,
                    )
                )

    def _wait(self, future: FluxExecutorFuture) -> None:
        codes = [process.wait() for process in future.processes]
        with self._lock:
            self._free += future.spec.cores
        self._start_some()
        if future.done():
            return
        if future.is_cancelled:
            future.set_exception(JobException("cancel: canceled by user"))
        else:
            future.set_result(max(codes, key=abs))

    def shutdown(self, wait: bool = True) -> None:
        pass


def cancel(handle: Any, jobid: int, reason: str | None = None) -> None:
    """As flux.job.cancel: also ends running jobs."""
    future = _jobs[jobid]
    future.is_cancelled = True
    for process in future.processes:
        if process.poll() is None:
            process.kill()


def jobs() -> list[FluxExecutorFuture]:
    """Return all jobs of this process, for tests."""
    return list(_jobs.values())
