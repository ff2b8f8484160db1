"""The failures of a run, kept for ``parsl explain``: one line of JSON for each failed attempt."""

from __future__ import annotations

import logging
import os
import threading
from time import time

from parsl.failure_facts import attach, facts_of, has_facts, note
from parsl.vocabulary.dataflow_errors import PropagatedException, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from parsl.dataflow.taskrecord import TaskRecord
    from parsl.executors.base import ParslExecutor

logger = logging.getLogger(__name__)

#: The file in the run directory. The first failure creates it.
FAILURE_LOG = "failures.jsonl"

#: The outcome of the one line without a task. It counts the tasks that had not ended when the run was over.
#: The other outcomes are those of attempts, in `parsl.eventlog`.
RUN_OVER = "run over"

_MESSAGE_CHARS = 4000
_TRACEBACK_CHARS = 6000


class FailureLog:
    """Appends to the failure log of a run. Any thread may call it. Successes do not.

    A full disk costs lines, and one line on stderr, but never a task.
    """

    def __init__(self, run_dir: str, *, retries: int, executors: Mapping[str, ParslExecutor]) -> None:
        self._path = os.path.join(run_dir, FAILURE_LOG)
        self._retries = retries
        self._executors = executors
        self._lock = threading.Lock()
        self._file: logging.Handler | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._path}>"

    def add(self, record: TaskRecord, error: BaseException | None, outcome: str, attempt: int) -> None:
        """Log the failure of an attempt (counted from 1), or of a task before its first one. Never raises."""
        self._write(lambda: self._line(record, error, outcome, attempt))

    def close(self, unfinished: int) -> None:
        """End the log with the number of tasks that had not ended when the run was over."""
        if unfinished:
            self._write(lambda: {"time": time(), "outcome": RUN_OVER, "unfinished": unfinished})
        if self._file is not None:
            self._file.close()

    def _line(
        self, record: TaskRecord, error: BaseException | None, outcome: str, attempt: int
    ) -> dict[str, Any]:
        facts = {} if error is None or isinstance(error, PropagatedException) else facts_of(error).as_dict()
        return {
            **facts,
            "time": time(),
            "task_id": record.id,
            "app": record.func_name,
            "label": record.label,
            "attempt": attempt,
            "outcome": outcome,
            "executor": record.executor,
            "called": record.invoked_s,
            "launched": record.launched_s,
            "cost": record.fail_cost,
            "retries": self._retries,
            **_of_error(error),
            "stdout": _path_of(record.stdout),
            "stderr": _path_of(record.stderr),
            "manager_log": _manager_log(self._executors.get(record.executor), facts),
        }

    def _write(self, make_line: Callable[[], dict[str, Any]]) -> None:
        try:
            import json  # fails, too, if no descriptor is free

            line = {key: value for key, value in make_line().items() if value is not None}
            text = json.dumps(line, default=str)
            with self._lock:
                if self._file is None:
                    from parsl.logconfigs.handlers import LogFile

                    self._file = LogFile(self._path)
            self._file.handle(logging.makeLogRecord({"msg": text}))
        except Exception:
            logger.exception("A line could not be written to %s", self._path)


def add_task_facts(record: TaskRecord, error: BaseException, attempt: int) -> None:
    """Attach the task, the app, and the attempt to the exception of a failed attempt.

    One of Parsl's own errors without facts may belong to many tasks (of a lost executor); it stays as it is.
    """
    from parsl.errors import ParslError
    from parsl.vocabulary.app_errors import AppException

    if isinstance(error, ParslError) and not isinstance(error, AppException) and not has_facts(error):
        return
    attach(error, app=record.func_name, task_id=record.id, attempt=attempt, executor=record.executor)
    note(error)


def _of_error(error: BaseException | None) -> dict[str, Any]:
    if error is None:
        return {}
    shown: dict[str, Any] = {
        "error": f"{type(error).__module__}.{type(error).__qualname__}",
        "message": text_of(error)[:_MESSAGE_CHARS],
    }
    if isinstance(error, PropagatedException):
        if (root := root_task(error)) is not None:
            shown["root_task"] = root
        return shown
    if getattr(error, "is_job_end", False) is True:
        shown["is_job_end"] = True
    if error.__traceback__ is not None:
        from traceback import format_tb

        # Without those of the causes, which may be many.
        shown["traceback"] = "".join(format_tb(error.__traceback__))[-_TRACEBACK_CHARS:]
    return shown


def root_task(error: BaseException | None) -> int | None:
    """Return the number of the task that has failed first; None if it is not a task of this run."""
    if not isinstance(error, PropagatedException):
        return None
    kind, _, number = error.root_description.partition(" ")
    return int(number) if kind == "task" and number.isdecimal() else None


def _path_of(stream: Any) -> str | None:
    path = stream[0] if isinstance(stream, tuple) and stream else stream
    path = getattr(path, "filepath", path)
    return os.path.abspath(path) if isinstance(path, (str, os.PathLike)) else None


def _manager_log(executor: ParslExecutor | None, facts: dict[str, Any]) -> str | None:
    directory = getattr(executor, "worker_logdir", None)
    if directory is None or "manager" not in facts:
        return None
    # A LogConfig of the user decides on the name of the file.
    name = "manager.log" if getattr(executor, "log_config", None) is None else ""
    return f"{directory}/block-{facts.get('block')}/{facts['manager']}/{name}"
