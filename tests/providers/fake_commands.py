"""Stand-ins for a scheduler's commands: small shell scripts on the PATH that a test writes."""

from __future__ import annotations

import shlex
from pathlib import Path


class FakeCommands:
    """A directory of stand-ins, the first of the PATH. Each call of one is noted down.

    Args:
        directory: Where the stand-ins are.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._log = directory / "calls.log"

    def add(self, name: str, script: str) -> None:
        """Make, or replace, a command: a bash script."""
        path = self.directory / name
        log = shlex.quote(str(self._log))
        path.write_text(f"#!/bin/bash\nprintf '%s\\n' \"{name} $*\" >>{log}\n{script}\n")
        path.chmod(0o755)

    def calls(self) -> list[str]:
        """Return the command lines since the last time, and forget them."""
        try:
            lines = self._log.read_text().splitlines()
        except FileNotFoundError:
            return []
        self._log.unlink()
        return lines
