"""The thread that settles tasks: an engine's own threads must not wait, and must not call the engine.

What follows the end of a task may do both: callbacks of users, and the kernel's next attempt.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from parsl.common.threads import join, together

logger = logging.getLogger(__name__)

_Job = tuple[Callable[..., Any], tuple[Any, ...]]


class SettlingThread:
    """A thread that calls functions in the order in which they were added."""

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, function: Callable[..., Any], *args: Any) -> None:
        """Call a function in the thread, soon. Returns at once; any thread may use it."""
        self._jobs.put((function, args))

    def close(self) -> None:
        """Call what was added, and end the thread."""
        self._jobs.put(None)
        join(self._thread)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            _do(*job)
            del job  # a reference would keep results in the engine until the next job


class LastingThread(SettlingThread):
    """A thread that settles tasks after its end, too: each function is then called where it is added."""

    _has_ended = False

    def call(self, function: Callable[..., Any], *args: Any) -> None:
        """Call a function in the thread, soon; at once after the thread's end."""
        super().call(function, *args)
        if self._has_ended:
            self._call_rest()

    def _run(self) -> None:
        super()._run()
        self._has_ended = True
        self._call_rest()

    def _call_rest(self) -> None:
        with suppress(Empty):
            while True:
                if (job := self._jobs.get_nowait()) is not None:
                    _do(*job)


def _do(function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    try:
        together(function, *args)
    except BaseException:  # sys.exit() in what a user has defined must not end the thread
        logger.exception("%s has failed", function)
