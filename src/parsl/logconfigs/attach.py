"""Attach a handler to a logger, and take it off again without a trace."""

from __future__ import annotations

import logging
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_lock = threading.Lock()

#: For each logger with handlers of ours: their levels, and the level it had before them.
_attached: dict[str, tuple[dict[logging.Handler, int], int]] = {}


def stay_silent() -> None:
    """Have Parsl print nothing unless it is asked to: Python itself would print its warnings on stderr."""
    logger = logging.getLogger("parsl")
    if not any(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
        logger.addHandler(logging.NullHandler())


def attach(
    handler: logging.Handler, *, logger_name: str, level: int, format_string: str | None = None
) -> Callable[[], None]:
    """Give a logger one more handler.

    The logger's own level becomes the lowest of its handlers' levels, so that each of them gets what
    it was promised, whatever the others want.

    Args:
        handler: The handler.
        logger_name: The logger.
        level: The lowest level to handle.
        format_string: The format of a record, or None to leave the handler's formatter.

    Returns:
        A function that takes the handler off, closes it, and gives the logger the level it would
        have without it. Calling it again does nothing.
    """
    handler.setLevel(level)
    if format_string is not None:
        handler.setFormatter(logging.Formatter(format_string))
    logger = logging.getLogger(logger_name)
    with _lock:
        levels, _ = _attached.setdefault(logger_name, ({}, logger.level))
        levels[handler] = level
        logger.addHandler(handler)
        logger.setLevel(min(levels.values()))

    def detach() -> None:
        with _lock:
            levels, level_before = _attached.get(logger_name, ({}, 0))
            if levels.pop(handler, None) is None:
                return
            logger.removeHandler(handler)
            logger.setLevel(min(levels.values(), default=level_before))
            if not levels:
                del _attached[logger_name]
        handler.close()

    return detach
