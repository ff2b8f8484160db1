"""Log handlers of the driver and of the processes that it starts."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Collection
from io import TextIOWrapper

from parsl.common.rundirs import for_the_user

_lock = threading.Lock()
#: For each logger with attached handlers: their levels, and the level that the logger had before.
_attached: dict[str, tuple[dict[logging.Handler, int], int]] = {}


class LogFile(logging.FileHandler):
    """Appends to a file. A full disk costs records and causes one line on stderr, but never ends the run."""

    #: Whether it gets records about single tasks.
    takes_task_records = True

    def __init__(self, file: str | os.PathLike[str]) -> None:
        super().__init__(file, encoding="utf-8")
        self._has_warned = False

    def _open(self) -> TextIOWrapper:
        file = open(self.baseFilename, self.mode, encoding=self.encoding, opener=for_the_user)  # noqa: SIM115
        assert isinstance(file, TextIOWrapper)
        return file

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            self._warn_once(error)
        else:
            super().handleError(record)

    def close(self) -> None:
        try:
            super().close()
        except OSError as error:
            self._warn_once(error)

    def _warn_once(self, error: OSError) -> None:
        if self._has_warned:
            return
        self._has_warned = True
        try:
            sys.stderr.write(
                f"parsl: the log {self.baseFilename} cannot be written ({error.strerror or error}): "
                "records are missing from it from here on; the run continues.\n"
            )
        except (OSError, ValueError, AttributeError):
            pass  # stderr is missing, closed, or a file on the same disk


def silence_parsl() -> None:
    """Print no records of Parsl unless the user requests it; Python itself would print warnings on stderr."""
    logger = logging.getLogger("parsl")
    if not any(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
        logger.addHandler(logging.NullHandler())


def attach(
    handler: logging.Handler, *, logger_name: str, level: int, format_string: str | None = None
) -> Callable[[], None]:
    """Add a handler to a logger. Return a function that detaches and closes it.

    The logger's own level becomes the lowest level of its attached handlers, so that each of them gets all
    of its records; the level from before returns with the last of them. ``format_string`` is None to keep
    the handler's formatter. Calling the returned function again has no effect.
    """
    handler.setLevel(level)
    if format_string is not None:
        handler.setFormatter(logging.Formatter(format_string))
    logger = logging.getLogger(logger_name)
    with _lock:
        levels, level_before = _attached.setdefault(logger_name, ({}, logger.level))
        levels[handler] = level
        logger.addHandler(handler)
        logger.setLevel(_level_for(logger, levels.values(), level_before))

    def detach() -> None:
        with _lock:
            levels, level_before = _attached.get(logger_name, ({}, 0))
            if levels.pop(handler, None) is None:
                return
            logger.removeHandler(handler)
            logger.setLevel(_level_for(logger, levels.values(), level_before))
            if not levels:
                del _attached[logger_name]
        handler.close()

    return detach


def _level_for(logger: logging.Logger, levels: Collection[int], level_before: int) -> int:
    if not levels:
        return level_before
    return min(*levels, level_before) if logger is logging.root else min(levels)
