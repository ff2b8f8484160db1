"""Scripts of users: each runs in a process and a directory of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import parsl

_LIMIT_S = 250


class Printed(NamedTuple):
    """What a script has printed."""

    output: str
    errors: str


def run_script(directory: Path, text: str, *arguments: str, **variables: str) -> Printed:
    """Run the text of a script in a directory, and return what it has printed. It must succeed.

    Args:
        directory: Its working directory, which gets the script.
        text: The script.
        arguments: Its arguments.
        variables: Environment variables of its process, in addition to those of the test.
    """
    (directory / "script.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "script.py", *arguments],
        cwd=directory,
        env=script_environment(**variables),
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
    )
    assert done.returncode == 0, done.stderr
    return Printed(done.stdout, done.stderr)


def script_environment(**variables: str) -> dict[str, str]:
    """Return environment variables of this process and others, with which another one imports this Parsl."""
    return {**os.environ, "PYTHONPATH": str(Path(parsl.__file__).parents[1]), **variables}
