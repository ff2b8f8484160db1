"""What a task uses, sent over a radio of another package from where the task runs.

Parsl's own radios need none of this: what tasks use arrives with their results.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from parsl.monitoring.intake import content_of
from parsl.monitoring.message_type import MessageType
from parsl.monitoring.radios.base import MonitoringRadioSender, RadioConfig

logger = logging.getLogger(__name__)


class Reporting(NamedTuple):
    """How the tasks of an executor report.

    Attributes:
        radio: Makes the sender.
        run_id: The run.
        interval_s: The time between two samples in seconds; None for no samples.
    """

    radio: RadioConfig
    run_id: str | None
    interval_s: float | None

    def wrap(self, func: Callable[..., Any], task: int, attempt: int) -> ReportedCall:
        """Return what is called in place of the function of an attempt."""
        return ReportedCall(func, self, task, attempt)


class ReportedCall:
    """The function of one attempt. Reports its start, samples and end; that never fails the task.

    Args:
        func: The function.
        reporting: How to report.
        task: The number of the task.
        attempt: The number of the attempt, from 0 on.
    """

    def __init__(self, func: Callable[..., Any], reporting: Reporting, task: int, attempt: int) -> None:
        self.func = func
        self.reporting = reporting
        self.task = task
        self.attempt = attempt
        self.__name__ = getattr(func, "__name__", type(func).__name__)
        self.__doc__ = getattr(func, "__doc__", None)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            reports = Reports(self.reporting, self.task, self.attempt)
        except Exception:  # of another package
            logger.exception("%r cannot report: no sender", self)
            return self.func(*args, **kwargs)
        try:
            return self.func(*args, **kwargs)
        finally:
            reports.end()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.__name__} of task {self.task}, attempt {self.attempt}>"

    def __parsl_dependencies__(self) -> tuple[object, ...]:
        return (self.func,)


class Reports:
    """The messages about one attempt, from its start to :meth:`end`. A thread sends the samples."""

    def __init__(self, reporting: Reporting, task: int, attempt: int) -> None:
        self._interval_s = reporting.interval_s
        self._sender: MonitoringRadioSender = reporting.radio.create_sender()
        self._names = {
            "run_id": reporting.run_id,
            "try_id": attempt,
            "task_id": task,
            "hostname": os.uname().nodename,
            "block_id": os.environ.get("PARSL_WORKER_BLOCK_ID"),
        }
        self._used_before_s = 0.0 if self._interval_s is None else _processor_time_s()
        self._has_ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._send(MessageType.WORKER_TASK_INFO, first_msg=True)
        if self._interval_s is not None:
            self._thread = threading.Thread(target=self._run, name="parsl-task-samples", daemon=True)
            self._thread.start()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._names['task_id']} by {self._sender!r}>"

    def end(self) -> None:
        """Send a last sample, however short the task was, and that it has ended."""
        self._has_ended.set()
        if self._thread is not None:
            self._thread.join()
        self._send(MessageType.WORKER_TASK_INFO, last_msg=True)

    def _run(self) -> None:
        assert self._interval_s is not None
        due_s = time.monotonic()
        is_last = False
        while not is_last:
            due_s += self._interval_s
            is_last = self._has_ended.wait(max(0.0, due_s - time.monotonic()))
            self._send_sample()

    def _send_sample(self) -> None:
        import psutil

        from parsl.executors.high_throughput.manager.resource_sampler import measure_tree

        pid = os.getpid()
        try:
            members = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
            sample = measure_tree(pid, members, self._used_before_s)
        except psutil.Error:
            return
        if sample is not None:
            self._send(
                MessageType.RESOURCE_INFO,
                resource_monitoring_interval=self._interval_s,
                **content_of(sample),
            )

    def _send(
        self, kind: MessageType, *, first_msg: bool = False, last_msg: bool = False, **more: Any
    ) -> None:
        flags = {"first_msg": first_msg, "last_msg": last_msg, "timestamp": datetime.now()}
        try:
            self._sender.send((kind, {**self._names, **flags, **more}))
        except Exception:  # of another package
            logger.exception("A monitoring message of task %s is lost", self._names["task_id"])


def _processor_time_s() -> float:
    """Return what this process has used so far, with children that it has waited for."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system
