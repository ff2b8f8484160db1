"""The executor that runs tasks in threads of the driver."""

from __future__ import annotations

import os
from functools import partial

from parsl import validate
from parsl.common import pass_on_upstream_names
from parsl.common.parameter_names import Retired, accepts_retired
from parsl.common.representation import RepresentationMixin
from parsl.executors.base import ParslExecutor, check_radio, check_storage_access
from parsl.executors.errors import ExecutorError, InvalidResourceSpecification
from parsl.executors.local.thread_pool import ThreadPool
from parsl.vocabulary.run_observer import NO_OBSERVER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future
    from typing import Any

_KNOWN_KEYS = frozenset(("walltime_s", "priority"))


def _check_prefix(executor: ThreadPoolExecutor, name: str, value: object) -> str:
    prefix = validate.text(executor, name, value, optional=True)
    return f"ThreadPoolExecutor-{executor.label}" if prefix is None else prefix


def _check_working_dir(executor: ThreadPoolExecutor, name: str, value: Any) -> str | None:
    if value is not None and not hasattr(value, "__fspath__"):
        validate.text(executor, name, value, allow_empty=False)
    return value  # type: ignore[no-any-return]


class ThreadPoolExecutor(ParslExecutor, RepresentationMixin):
    """Runs tasks in threads of the driver, in the order in which they became ready.

    Good for short functions, for functions that wait, and for bash apps; the Python code of all tasks shares
    one processor. A task that exceeds its walltime and a bash app that is cancelled are ended with their
    processes; Python code that cannot be interrupted keeps its thread, which another one replaces.

    Args:
        label: The name by which apps choose this executor.
        max_threads: How many tasks may run at once; None for the number of processors plus four, but at most
            32.
        thread_name_prefix: The prefix of the threads' names; by default ``"ThreadPoolExecutor-"`` and the
            label.
        storage_access: The staging providers to use; None for the default ones.
        working_dir: Where files are staged to; None for the current directory.
        remote_monitoring_radio: How tasks send monitoring messages of their own, such as
            ``MultiprocessingQueueRadio()``; None if they send none.
    """

    enforces_walltime = True

    label = validate.Text(allow_empty=False, one_line=True)
    max_threads = validate.Integer(low=1, optional=True)
    thread_name_prefix = validate.Custom(_check_prefix)
    storage_access = validate.Custom(check_storage_access)
    working_dir = validate.Custom(_check_working_dir)
    remote_monitoring_radio = validate.Custom(check_radio)

    @accepts_retired(managed=Retired("leave it out; it has no effect"))
    def __init__(
        self,
        label: str = "threads",
        max_threads: int | None = 2,
        thread_name_prefix: str | None = None,
        storage_access: Sequence[Any] | None = None,
        working_dir: str | None = None,
        remote_monitoring_radio: Any | None = None,
    ) -> None:
        super().__init__()
        validate.assign(self, locals())
        self._pool: ThreadPool | None = None

    def start(self) -> None:
        """Prepare for tasks. Threads are started on demand."""
        report = None if self.observer is NO_OBSERVER else partial(self.observer.tasks_started, self.label)
        self._pool = ThreadPool(self.current_slots(), self.thread_name_prefix, report)

    def current_slots(self) -> int:
        """Return the number of threads."""
        return self.max_threads or min(32, (os.cpu_count() or 1) + 4)

    def submit(
        self,
        func: Callable[..., Any],
        resource_specification: dict[str, Any] | None,
        *args: Any,
        **kwargs: Any,
    ) -> Future[Any]:
        """Queue a task.

        The specification may have ``walltime_s``, how long the task may run in seconds, and ``priority``,
        which has no effect: tasks run in the order of their submission. ``cancel()`` of the future cancels a
        task that waits for a thread, and a running bash app, but not running Python code.

        Raises InvalidResourceSpecification for another key, ExecutorError before the start, and RuntimeError
        after the shutdown.
        """
        pool = self._pool
        if pool is None:
            raise ExecutorError(self, "it was not started; parsl.load() or its start() starts it")
        walltime_s = None
        if resource_specification:
            if not _KNOWN_KEYS.issuperset(resource_specification):
                raise InvalidResourceSpecification(
                    resource_specification.keys() - _KNOWN_KEYS,
                    "A ThreadPoolExecutor has no resources to request: omit parsl_resource_specification, "
                    "or choose another executor for the app.",
                )
            walltime_s = resource_specification.get("walltime_s")
        return pool.submit(func, args, kwargs, walltime_s)

    def shutdown(self, block: bool = True, timeout_s: float | None = None) -> None:
        """Accept no more tasks, run the submitted ones, and end the threads.

        Args:
            block: Whether to wait for that.
            timeout_s: How long to wait, in seconds; None for no limit. When the time is up, queued tasks are
                cancelled and running ones are ended.
        """
        if self._pool is not None:
            self._pool.shutdown(block, timeout_s)

    def shutdown_within(self, limit_s: float) -> None:
        """Shut down, and end the tasks that have not finished after ``limit_s`` seconds."""
        self.shutdown(timeout_s=limit_s)

    def monitor_resources(self) -> bool:
        """Return that the resources of single tasks cannot be measured: all share the driver's process."""
        return False


pass_on_upstream_names(__name__)
