"""Doing something every so often."""

from __future__ import annotations

import threading
from logging import getLogger

from parsl import validate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

logger = getLogger(__name__)


def period_in_seconds(owner: object, period: object) -> float:
    """Read a period that is written as ``'HH:MM:SS'``.

    Raises:
        ParameterError: It is not, or it is none.
    """
    text = validate.text(owner, "checkpoint_period", period)
    parts = text.strip().split(":")
    expected = "hours, minutes and seconds, such as '00:10:00', and more than none"
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        validate.wrong_value(owner, "checkpoint_period", text, expected)
    hours, minutes, seconds = map(int, parts)
    total_s = hours * 3600 + minutes * 60 + seconds
    if total_s == 0:
        validate.wrong_value(owner, "checkpoint_period", text, expected)
    return float(total_s)


class PeriodicCalls:
    """Calls a function every so often, in a thread of its own.

    Args:
        function: The function. What it raises is logged.
        period_s: How often, in seconds.
    """

    def __init__(self, function: Callable[[], object], period_s: float) -> None:
        self._function = function
        self._period_s = period_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; no call is under way when this returns."""
        self._stopped.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._period_s):
            try:
                self._function()
            except BaseException:  # a result's own __reduce__ may call sys.exit()
                logger.exception(
                    "The periodic checkpoint has failed; it is tried again in %g s", self._period_s
                )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} every {self._period_s:g} s>"
