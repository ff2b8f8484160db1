"""Logging as JSON, one object per line, for programs that search logs."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from parsl import validate
from parsl.common.representation import RepresentationMixin
from parsl.logconfigs.base import LogConfig
from parsl.logconfigs.handlers import LogFile, attach

_formatter = logging.Formatter()

#: The attributes of every record; all others were passed as ``extra``.
_STANDARD_ATTRIBUTES = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}

_WRITTEN_ATTRIBUTES = (
    "created", "process", "processName", "threadName", "thread", "name", "lineno", "levelname", "msg"
)  # fmt: skip


class JSONHandler(LogFile):
    """Appends each record to a file as one line of JSON, immediately.

    A line contains the time, the place in the code, process and thread of the record, ``msg``, and
    ``formatted``: the message with its arguments and the traceback. Values passed as ``extra`` keep their own
    names. Values that JSON cannot represent are written as their ``repr``.

    Args:
        filename: The path of the file.
        args: For :class:`logging.Handler`.
        kwargs: For :class:`logging.Handler`.
    """

    def __init__(self, filename: Path, *args: Any, **kwargs: Any) -> None:
        super().__init__(filename)
        if args or kwargs:
            self.setLevel(*args, **kwargs)

    #: It keeps their attributes; see :class:`parsl.dataflow.tasks.task_log.TaskLog`.
    takes_task_records = True

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(_as_plain(_content(record)), allow_nan=False)


class JSONLogging(LogConfig, RepresentationMixin):
    """Logs to ``<log_name>.jsonlog``, one JSON object per line, what all loggers of the process report.

    Args:
        level: The lowest level to write.
    """

    level = validate.Integer(low=0)

    def __init__(self, *, level: int = logging.DEBUG) -> None:
        validate.assign(self, locals())

    def initialize_logging(self, *, log_dir: Path, log_name: str) -> Callable[[], None]:
        ends = ExitStack()
        # The level of the logger "parsl" may be set for other handlers: this one needs its records, too.
        ends.callback(attach(logging.NullHandler(), logger_name="parsl", level=self.level))
        handler = JSONHandler(log_dir / f"{log_name}.jsonlog")
        ends.callback(attach(handler, logger_name="", level=self.level))
        return ends.close


def _content(record: logging.LogRecord) -> dict[str, Any]:
    content = {name: value for name, value in record.__dict__.items() if name not in _STANDARD_ATTRIBUTES}
    content.update({name: getattr(record, name) for name in _WRITTEN_ATTRIBUTES})
    content["funcname"] = record.funcName
    try:
        content["formatted"] = _formatter.format(record)
    except Exception as error:
        content["formatted"] = f"{_safe_repr(record.msg)} (does not fit its arguments: {error})"
    return content


def _as_plain(value: Any, depth: int = 0) -> Any:
    """Replace values that JSON cannot represent."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, float):
        return value if value - value == 0 else repr(value)
    if depth < 5 and isinstance(value, dict):
        items = ((key if isinstance(key, str) else _safe_repr(key), item) for key, item in value.items())
        return {key: _as_plain(item, depth + 1) for key, item in items}
    if depth < 5 and isinstance(value, (list, tuple)):
        return [_as_plain(item, depth + 1) for item in value]
    return _safe_repr(value)


def _safe_repr(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:
        return f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
