"""Logging to a text file."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from parsl import validate
from parsl.common.representation import RepresentationMixin
from parsl.logconfigs.base import LogConfig
from parsl.logconfigs.handlers import LogFile, attach

DEFAULT_FORMAT = (
    "%(created)f %(asctime)s %(processName)s-%(process)d %(threadName)s-%(thread)d "
    "%(name)s:%(lineno)d %(funcName)s %(levelname)s: %(message)s"
)


class FileLogging(LogConfig, RepresentationMixin):
    """Logs to ``<log_name>.log``; each record is written immediately.

    Args:
        format_string: The format of a record, as for :class:`logging.Formatter`.
        level: The lowest level to write.
    """

    format_string = validate.Text(allow_empty=False)
    level = validate.Integer(low=0)

    def __init__(self, *, format_string: str = DEFAULT_FORMAT, level: int = logging.DEBUG) -> None:
        validate.assign(self, locals())

    def initialize_logging(self, *, log_dir: Path, log_name: str) -> Callable[[], None]:
        handler = LogFile(log_dir / f"{log_name}.log")
        handler.takes_task_records = False  # its text would have several lines for each task
        return attach(handler, logger_name="parsl", level=self.level, format_string=self.format_string)
