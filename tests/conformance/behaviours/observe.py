"""What scripts use to observe Parsl, the same way on this package and on upstream."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

#: How long a script waits for a condition, in seconds.
_TIME_LIMIT_S = 120.0


def where_it_fails(call: Callable[[], Any], *kinds: type[BaseException]) -> str:
    """Whether a call raises an error or returns a future that fails, and the name of the error.

    A name in ``kinds`` stands for the classes derived from it: users catch those by it.
    """
    try:
        future = call()
    except Exception as error:
        return f"the call: {name_of(error, *kinds)}"
    try:
        result = future.result(timeout=_TIME_LIMIT_S)
    except Exception as error:
        return f"the future: {name_of(error, *kinds)}"
    return f"the result is {result!r}"


def error_of(call: Callable[[], Any], *kinds: type[BaseException]) -> str:
    """The name of the error that a call raises, or its result."""
    try:
        return f"returns {call()!r}"
    except BaseException as error:
        return name_of(error, *kinds)


def name_of(error: BaseException | None, *kinds: type[BaseException]) -> str:
    """The name of the first of these classes that an error is an instance of, or of its own."""
    return next((kind.__name__ for kind in kinds if isinstance(error, kind)), type(error).__name__)


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for a condition; an AssertionError if it stays false."""
    deadline = time.monotonic() + _TIME_LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, "the condition stayed false"
        time.sleep(0.01)


@contextmanager
def threads(workers: int = 2, **options: Any) -> Iterator[Any]:
    """A run in threads; options of ``Config``."""
    import parsl
    from parsl import Config, ThreadPoolExecutor

    with parsl.load(Config(executors=[ThreadPoolExecutor(max_threads=workers)], **options)) as kernel:
        yield kernel


@contextmanager
def processes(workers: int = 1, **options: Any) -> Iterator[Any]:
    """A run in processes of this host; options of ``HighThroughputExecutor``."""
    import parsl
    from parsl import Config, HighThroughputExecutor

    executor = HighThroughputExecutor(max_workers_per_node=workers, address="127.0.0.1", **options)
    with parsl.load(Config(executors=[executor])) as kernel:
        yield kernel
