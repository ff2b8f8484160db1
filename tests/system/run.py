"""A run for experiments: a kernel with one HighThroughputExecutor, and a view of its processes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import psutil

from parsl import python_app
from parsl.config import Config
from parsl.dataflow.dflow import DataFlowKernel
from parsl.executors import HighThroughputExecutor
from parsl.providers import LocalProvider

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from parsl.app.futures import AppFuture

INTERCHANGE = "parsl: HTEX interchange"
MANAGER = "parsl: HTEX manager"
FORK_SERVER = "parsl: HTEX fork server"
WORKER = "parsl: HTEX worker"


def titled(title: str, root: psutil.Process | None = None) -> list[psutil.Process]:
    """The processes below `root` (by default this process) whose title begins with `title`."""
    found = []
    for process in (root or psutil.Process()).children(recursive=True):
        try:
            if " ".join(process.cmdline()).startswith(title):
                found.append(process)
        except psutil.Error:
            continue
    return found


def executor(**options: Any) -> HighThroughputExecutor:
    """An executor with two workers on this machine by default."""
    options.setdefault("label", "htex")
    options.setdefault("provider", LocalProvider())
    options.setdefault("max_workers_per_node", 2)
    options.setdefault("cores_per_worker", 0.1)
    return HighThroughputExecutor(**options)


class Run:
    """A kernel with one executor. Tests end it with `close`, or the fixture does."""

    def __init__(self, run_dir: Path, *, strategy: str = "none", retries: int = 0, **options: Any) -> None:
        self.executor = executor(**options)
        config = Config(executors=[self.executor], strategy=strategy, retries=retries, run_dir=str(run_dir))
        self.kernel = DataFlowKernel(config)
        self.spool = self.executor.engine.endpoints.spool

    def __repr__(self) -> str:
        return f"<Run of {self.kernel!r}>"

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> AppFuture[Any]:
        """Call a function as an app: with dependencies, retries and special keyword arguments."""
        app: Any = python_app(function, data_flow_kernel=self.kernel)
        return app(*args, **kwargs)  # type: ignore[no-any-return]

    def send(self, function: Callable[..., Any], *args: Any, **resources: Any) -> Any:
        """Submit a call to the executor directly, with its resource specification as keyword arguments."""
        return self.executor.submit(function, resources, *args)

    def warm_up(self) -> None:
        """Wait until tasks run."""
        assert self.send(os.getpid).result(timeout=60) > 0

    def only(self, title: str) -> psutil.Process:
        """The one process with a title; its fresh forks, which still have the same title, do not count."""
        found = titled(title)
        [process] = [process for process in found if process.parent() not in found]
        return process

    def workers(self) -> list[psutil.Process]:
        return titled(WORKER)

    def close(self) -> None:
        self.kernel.cleanup()
