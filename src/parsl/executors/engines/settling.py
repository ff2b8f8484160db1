"""The thread that settles tasks: an engine's own threads must not wait, and must not call the engine.

What follows the end of a task may do both: callbacks of users, and the kernel's next attempt.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

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
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            function, args = job
            try:
                function(*args)
            except Exception:
                logger.exception("%s has failed", function)
