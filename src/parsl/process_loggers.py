"""A decorator that logs how a function has ended, which executors and plug-ins use for their threads."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar, overload

P = ParamSpec("P")
R = TypeVar("R")


@overload
def wrap_with_logs(fn: Callable[P, R], target: str = __name__) -> Callable[P, R]: ...
@overload
def wrap_with_logs(
    fn: None = None, target: str = __name__
) -> Callable[[Callable[..., Any]], Callable[..., Any]]: ...
def wrap_with_logs(fn: Callable[..., Any] | None = None, target: str = __name__) -> Any:
    """Log how each call of a function ends: for the main functions of threads and processes.

    The decorator works with or without parentheses.

    Args:
        fn: The function; None for a decorator with parentheses.
        target: The name of the logger. A normal end is logged with level DEBUG, an exception with ERROR.

    Returns:
        A function that does the same, and raises the same exceptions; or, with parentheses, a decorator.
    """
    if fn is None:
        return partial(wrap_with_logs, target=target)
    function = fn
    logger = logging.getLogger(target)

    @wraps(function)
    def logged(*args: Any, **kwargs: Any) -> Any:
        thread = threading.current_thread().name
        try:
            result = function(*args, **kwargs)
        except Exception:
            logger.exception("%s has failed in thread %s", function.__name__, thread)
            raise
        logger.debug("%s has ended in thread %s", function.__name__, thread)
        return result

    return logged
