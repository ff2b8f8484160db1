"""Log records about single tasks, for programs that read their attributes: ``parsl.task`` and others."""

from __future__ import annotations

import logging

from parsl.dataflow.futures import AppFuture
from parsl.vocabulary.data_future import DataFuture
from parsl.vocabulary.task_states import States

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future
    from typing import Any

    from parsl.dataflow.taskrecord import TaskRecord

#: The logger under which upstream writes such records.
_logger = logging.getLogger("parsl.dataflow.dflow")

#: In the place of a number of handlers: compare it, and it is always another one.
_ANY = -1


class TaskLog:
    """Makes the records while a handler listens, and costs a comparison per task while none does.

    A handler of the logger ``parsl`` listens, unless its attribute ``takes_task_records`` is false: that of
    ``parsl.log`` would write several lines for each task. A handler of the root logger listens only if it has
    that attribute: ``logging.basicConfig`` is no request for these records. Any thread may
    call the methods, without the lock of the graph.

    Args:
        run_id: The identifier of the run, which each record has as ``parsl.dfk``.
    """

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        #: The logger whose handlers count.
        self.source = logging.getLogger("parsl")
        #: The number of handlers without a listener; any other number makes :meth:`submitted` look again.
        self.quiet_count = _ANY
        self.is_on = False

    def submitted(self, record: TaskRecord, depends: Iterable[Future[Any]]) -> None:
        """Look for listeners, and report a new task, the tasks that it depends on, and its first state."""
        handlers = self.source.handlers
        self.is_on = any(map(_listens, handlers)) or any(map(_requests, logging.root.handlers))
        self.quiet_count = _ANY if self.is_on else len(handlers)
        if not self.is_on:
            return
        self._report(record, f"submitted, app {record.func_name}", app_name=record.func_name)
        for future in depends:
            if isinstance(future, (AppFuture, DataFuture)):
                self._report(record, f"depends on task {future.tid}", dependency_task=future.tid)
        self.state(record)

    def state(self, record: TaskRecord) -> None:
        """Report the present state of a task."""
        name = record.status.name
        self._report(record, name, task_state=name)

    def launched(self, record: TaskRecord, executor_task: object) -> None:
        """Report that an executor has the task, with the executor's number for it (None if unknown)."""
        attributes: dict[str, Any] = {"try": record.try_id, "executor": record.executor}
        if executor_task is not None:
            attributes["executor_task"] = executor_task
        name = attributes["task_state"] = States.launched.name  # its status may be another one by now
        self._report(record, f"{name} on executor {record.executor}", **attributes)

    def _report(self, record: TaskRecord, text: str, **attributes: object) -> None:
        extra = {f"parsl.{name}": value for name, value in attributes.items()}
        extra |= {"parsl.dfk": self._run_id, "parsl.task": record.id}
        _logger.info("Task %d: %s", record.id, text, extra=extra)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'on' if self.is_on else 'off'}>"


def _listens(handler: logging.Handler) -> bool:
    if isinstance(handler, logging.NullHandler) or handler.level > logging.INFO:
        return False
    return getattr(handler, "takes_task_records", True)


def _requests(handler: logging.Handler) -> bool:
    return getattr(handler, "takes_task_records", False) and handler.level <= logging.INFO
