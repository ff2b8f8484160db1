"""Parsl, ours or upstream: which one is decided by the interpreter's path."""

from __future__ import annotations

import parsl
from benchmarks.pools.base import Pool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class ParslPool(Pool):
    """A loaded kernel with one executor; every function becomes an app on first use."""

    def __init__(self, config: Any) -> None:
        self._kernel = parsl.load(config)
        self._apps: dict[Callable[..., Any], Callable[..., Any]] = {}
        self._shell: Callable[[], Any] | None = None

    def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        app = self._apps.get(function)
        if app is None:
            app = self._apps[function] = parsl.python_app(function)
        return app(*args)

    def submit_shell(self) -> Any:
        if self._shell is None:
            self._shell = parsl.bash_app(true)
        return self._shell()

    def close(self) -> None:
        self._kernel.cleanup()
        parsl.clear()


def true() -> str:
    """The body of the bash app."""
    return "true"


def open_pool(workers: int, executor: str) -> ParslPool:
    """Load a configuration with one executor of `workers` workers."""
    make = thread_config if executor == "threads" else process_config
    return ParslPool(make(workers))


def thread_config(workers: int) -> Any:
    """Threads of the driver."""
    from parsl.config import Config
    from parsl.executors import ThreadPoolExecutor

    return Config(executors=[ThreadPoolExecutor(label="threads", max_threads=workers)])


def process_config(workers: int) -> Any:
    """Processes on this host; everything that is not about size is left at its default."""
    from parsl.config import Config
    from parsl.executors import HighThroughputExecutor
    from parsl.providers import LocalProvider

    executor = HighThroughputExecutor(
        label="htex",
        address="127.0.0.1",
        max_workers_per_node=workers,
        provider=LocalProvider(init_blocks=1, max_blocks=1),
    )
    return Config(executors=[executor])
