"""A thread that looks for ends of blocks every two seconds, as long as there are blocks."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from parsl.providers.api.failure import ServiceError

logger = logging.getLogger(__name__)

#: How often the cluster is queried while blocks run, in seconds.
INTERVAL_S = 2.0


class Watch:
    """Calls a function at intervals, in a thread of its own, until the function returns False.

    Args:
        look: Returns whether there is still something to watch; may raise ServiceError.
        interval_s: The pause between calls, in seconds.
    """

    def __init__(self, look: Callable[[], bool], interval_s: float = INTERVAL_S) -> None:
        self._look = look
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._has_more = False
        self._problem = ""

    def __repr__(self) -> str:
        return f"<Watch every {self._interval_s:g} s, running={self._thread is not None}>"

    def begin(self) -> None:
        """Start the thread, or let the running one go on; without effect after :meth:`stop`."""
        with self._lock:
            self._has_more = True
            if self._thread is not None or self._stopped.is_set():
                return
            thread = threading.Thread(target=self._run, name="parsl-kubernetes-watch", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # an interpreter that is exiting starts no threads
                return
            self._thread = thread

    def stop(self) -> None:
        """Stop for good, and wait for a call in progress."""
        self._stopped.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._interval_s):
            with self._lock:
                self._has_more = False
            more = self._look_once()
            with self._lock:
                if not more and not self._has_more:  # nothing has been added meanwhile
                    self._thread = None
                    return

    def _look_once(self) -> bool:
        try:
            more = self._look()
        except ServiceError as error:
            if str(error.failure) != self._problem:
                self._problem = str(error.failure)
                logger.warning("The state of blocks is unknown: %s", error)
            return True
        except Exception:
            logger.exception("Blocks could not be watched; Parsl will retry")
            return True
        self._problem = ""
        return more
