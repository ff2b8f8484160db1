"""Fakes of a scheduler's commands: shell scripts on the PATH, and runners that tests control."""

from __future__ import annotations

import shlex
from pathlib import Path

from parsl.common.commands import CommandResult
from parsl.providers.batch.scheduler import CommandRunner


class FakeCommands:
    """A directory of stand-ins that comes first on the PATH and records each call.

    Args:
        directory: The directory for the stand-ins.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._log = directory / "calls.log"

    def add(self, name: str, script: str) -> None:
        """Create or replace a command, a Bash script."""
        path = self.directory / name
        log = shlex.quote(str(self._log))
        path.write_text(f"#!/bin/bash\nprintf '%s\\n' \"{name} $*\" >>{log}\n{script}\n")
        path.chmod(0o755)

    def calls(self) -> list[str]:
        """Return the command lines since the last call of this method."""
        try:
            lines = self._log.read_text().splitlines()
        except FileNotFoundError:
            return []
        self._log.unlink()
        return lines


class ManualClockRunner(CommandRunner):
    """Runs real commands, with a clock that the test advances."""

    def __init__(self, step_s: float = 0.0) -> None:
        self.time_s = 1000.0
        self._step_s = step_s

    def now_s(self) -> float:
        return self.time_s

    def run(self, command: list[str], timeout_s: float, stdin_text: str | None = None) -> CommandResult:
        self.time_s += self._step_s
        return super().run(command, timeout_s, stdin_text)
