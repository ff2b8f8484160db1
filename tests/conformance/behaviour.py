"""Behaviours: small scripts that run on this package and on upstream, and what they print.

A behaviour is one file, ``behaviours/TOPIC/NAME.py``. Its docstring describes it in a line. It runs with any
Parsl and prints what it sees; comments at its end record that::

    # prints:
    # ValueError
    #
    # upstream prints:
    # a future that fails: ValueError

The second part is there only where upstream differs on purpose. docs/compatibility.md gives the reason, in
the table "Deliberate differences of behaviour". ``observe.py`` has a few helpers for scripts.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

#: The variable that names the Python interpreter of an environment with upstream Parsl.
UPSTREAM = "PARSL_UPSTREAM"
FOLDER = Path(__file__).with_name("behaviours")
#: How long a script may take, in seconds: upstream needs some for its start and its end.
_TIME_LIMIT_S = 280.0
_OURS = "# prints:"
_THEIRS = "# upstream prints:"


@dataclass(frozen=True)
class Behaviour:
    """A script, and what it prints."""

    #: The topic and the name, as in ``apps/missing_outputs``.
    name: str
    path: Path
    description: str
    ours: str
    #: What upstream prints, if that differs on purpose; else None.
    theirs: str | None

    @property
    def upstream(self) -> str:
        """What upstream prints."""
        return self.ours if self.theirs is None else self.theirs


@dataclass(frozen=True)
class Run:
    """What a script has printed, and its log for a reader who looks for the reason."""

    printed: str
    log: str


def read_all() -> list[Behaviour]:
    """Read all behaviours, in the order of their names."""
    return [
        read(path.relative_to(FOLDER).with_suffix("").as_posix(), path)
        for path in sorted(FOLDER.glob("*/*.py"))
    ]


def read(name: str, path: Path) -> Behaviour:
    """Read a behaviour. Raises ValueError if its file does not describe or record it."""
    text = path.read_text()
    description = ast.get_docstring(ast.parse(text))
    before, found, recorded = text.partition(f"\n{_OURS}\n")
    if not (description and found and before):
        raise ValueError(f"{path} needs a docstring, and a comment '{_OURS}' at its end")
    ours, differs, theirs = recorded.partition(f"{_THEIRS}\n")
    return Behaviour(name, path, description, _uncommented(ours), _uncommented(theirs) if differs else None)


def _uncommented(text: str) -> str:
    return "\n".join(line.removeprefix("#").removeprefix(" ") for line in text.splitlines()).strip()


def run(behaviour: Behaviour, interpreter: str) -> Run:
    """Run a script in an empty directory, with this package or with the one of another interpreter."""
    search = [str(FOLDER), *(sys.path if interpreter == sys.executable else ())]
    path = os.pathsep.join((str(Path(interpreter).parent), os.environ.get("PATH", os.defpath)))
    environment = {**os.environ, "PATH": path, "PYTHONPATH": os.pathsep.join(search)}
    with tempfile.TemporaryDirectory() as directory:
        try:
            done = subprocess.run(
                [interpreter, str(behaviour.path)],
                cwd=directory,
                env=environment,
                capture_output=True,
                text=True,
                timeout=_TIME_LIMIT_S,
            )
        except subprocess.TimeoutExpired as error:
            return Run(f"(no end within {_TIME_LIMIT_S:.0f} s)", str(error))
    ending = f"\n(exit code {done.returncode})" if done.returncode else ""
    return Run(f"{done.stdout.strip()}{ending}".strip(), done.stderr)


def difference(expected: str, printed: str) -> str:
    """The difference between two outputs as a reader expects it; empty if there is none."""
    lines = unified_diff(expected.splitlines(), printed.splitlines(), "recorded", "printed", lineterm="", n=9)
    return "\n".join(lines)
