"""The driver's side of a manager process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from parsl.executors.cctools.wire import FAILED, OPEN, Record, Wire
from parsl.executors.engines.engine_process import EngineProcess, EngineProcessFailed

#: How long the library may take to start, in seconds.
START_LIMIT_S = 60.0


class ManagerProcess(EngineProcess):
    """A manager process. See the base for its parameters.

    Args:
        command: What starts the process; the number of its socket's descriptor is appended.
        log: The file for what the process prints.
        receive: Called with each record after the start, in the receiving thread.
        lost: Called once with the reason when the process has ended without :meth:`stop`, in that thread.
    """

    def __init__(
        self, command: list[str], log: str, receive: Callable[[Record], None], lost: Callable[[str], None]
    ) -> None:
        super().__init__(command, log, Wire(), receive, lost)

    def start(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Start the library with these settings, and return what it reports.

        Raises:
            EngineProcessFailed: The library could not start.
        """
        self.send([OPEN, settings])
        kind, content = self.first_message(START_LIMIT_S)
        if kind == FAILED:
            self.stop(0)
            raise EngineProcessFailed(content)
        return content  # type: ignore[no-any-return]
