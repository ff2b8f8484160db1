"""The driver's side of a session of RADICAL-Pilot, which ends it in any case."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from parsl.executors.engines.engine_process import EngineProcess, EngineProcessFailed
from parsl.executors.engines.errors import EngineUnreachable
from parsl.executors.radical.messages import (
    FromSession,
    Lines,
    Opened,
    Settings,
    decode_from_session,
)

logger = logging.getLogger(__name__)

#: How long a session may take to open and to close, in seconds.
START_LIMIT_S = 180.0
STOP_LIMIT_S = 60.0
_KILL_ROUNDS = 5


class SessionProcess(EngineProcess):
    """A process with a session of RADICAL-Pilot. Nothing of the session stays after its end.

    Args:
        owner: The executor, for errors.
        settings: What the process needs.
        directory: For its output, its logs, and the sandbox of a pilot on this machine.
        receive: Called with each message in the receiving thread; must not wait.
        lost: Called with the reason if the process ends by itself.

    Raises:
        EngineUnreachable: The session was not opened in time.
    """

    def __init__(
        self,
        owner: Any,
        settings: Settings,
        directory: Path,
        receive: Callable[[FromSession], None],
        lost: Callable[[str], None],
    ) -> None:
        self._uid = ""
        described = msgspec.json.encode(settings).decode()
        super().__init__(
            [sys.executable, "-m", "parsl.executors.radical.session_process", described],
            str(directory / "session.output"),
            Lines(decode_from_session),
            receive,
            lambda reason: lost(f"The process with the session of RADICAL-Pilot {reason}"),
            directory=directory,
            variables=_environment(directory),
        )
        try:
            opened: Opened = self.first_message(START_LIMIT_S)
        except EngineProcessFailed as error:
            raise EngineUnreachable(
                owner, f"RADICAL-Pilot has opened no session: its process {error}"
            ) from None
        self._uid = opened.session

    def stop(self, limit_s: float = STOP_LIMIT_S) -> bool:
        """Close the session, by force if that takes longer than the limit (seconds). May be called again.

        Returns:
            Whether the process has ended by itself.
        """
        has_ended = super().stop(limit_s)
        if self._uid:
            _end_processes_with(self._uid)
        if not has_ended:
            logger.warning("RADICAL-Pilot has not ended within %g s, and was ended by force", limit_s)
        return has_ended


def _environment(directory: Path) -> dict[str, str]:
    """Return the variables of the process: RADICAL-Pilot finds an environment only if it is activated.

    RADICAL-Pilot writes them into a shell script that expands their values. Values that the shell cannot
    expand, such as those that ``make`` exports, would end the pilot.
    """
    variables = {
        **{name: value for name, value in os.environ.items() if "${" not in value},
        "RADICAL_BASE": str(directory),
        "RADICAL_REPORT": "FALSE",
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
    }
    if sys.prefix != sys.base_prefix:
        variables["VIRTUAL_ENV"] = sys.prefix
    return variables


def _end_processes_with(text: str) -> None:
    """Kill these processes, and those that they have started meanwhile."""
    import psutil

    for _ in range(_KILL_ROUNDS):
        found = processes_with(text)
        if not found:
            break
        for process in found:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(found, timeout=2)


def processes_with(text: str) -> list[Any]:
    """Return the running processes of this user that have a text in their command or their directory.

    Those with a terminal are not among them: the user may follow a log, or have a shell in the directory.
    """
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE or process.uids().real != os.getuid():
                continue
            if process.terminal() is not None:
                continue
            if text in " ".join(process.cmdline()) or text in process.cwd():
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found
