"""A Python that can import an engine's module, which need not be the driver's own."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from parsl.errors import OptionalModuleMissing

#: Names a command that runs a Python with the engine's module.
VARIABLE = "PARSL_CCTOOLS_PYTHON"
_PROBE = """
import importlib, sys
if sys.path[0] == "":
    del sys.path[0]
if sys.version_info < (3, 10):
    sys.exit("Python " + sys.version.split()[0] + " is too old: at least 3.10 is needed")
errors = []
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except Exception as error:
        errors.append(str(error))
    else:
        print(name)
        sys.exit()
sys.exit("; ".join(errors))
"""
_PROBE_LIMIT_S = 60.0
# Parsl's own directory comes last, so that it hides nothing of that Python.
_RUN = """
import importlib, sys
if sys.path[0] == "":
    del sys.path[0]
sys.path.append(sys.argv[1])
importlib.import_module(sys.argv[2]).main(*sys.argv[3:])
"""


class Interpreter(NamedTuple):
    """A Python, and the name by which it imports the engine's module."""

    command: tuple[str, ...]
    module: str

    def run(self, module: str) -> list[str]:
        """Return a command that calls ``main`` of one of Parsl's modules; arguments may be appended."""
        root = Path(__file__).parents[3]
        return [*self.command, "-c", _RUN, str(root), module, self.module]


@lru_cache
def find_interpreter(modules: tuple[str, ...], tool: str, feature: str, remedy: str) -> Interpreter:
    """Find a Python that can import one of an engine's modules.

    Args:
        modules: The module's possible names.
        tool: A program that is installed together with the module.
        feature: What needs the module, for the message.
        remedy: What to do if there is none.

    Raises:
        OptionalModuleMissing: There is none. The message names those that were tried.
    """
    failures = []
    for command in _candidates(tool):
        try:
            result = subprocess.run(
                [*command, "-c", _PROBE, *modules],
                capture_output=True,
                text=True,
                timeout=_PROBE_LIMIT_S,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            failures.append(f"{shlex.join(command)}: {error}")
            continue
        if result.returncode == 0:
            return Interpreter(command, result.stdout.split()[-1])
        failures.append(f"{shlex.join(command)}: {result.stderr.strip().splitlines()[-1:]}")
    tried = "\n".join(f"  {failure}" for failure in failures)
    raise OptionalModuleMissing(
        [modules[0]],
        f"{feature} needs a Python that can import {' or '.join(modules)}, and found none. {remedy} If there "
        f"is one elsewhere, set {VARIABLE} to its command. Tried:\n{tried}",
    )


def _candidates(tool: str) -> Iterator[tuple[str, ...]]:
    if chosen := os.environ.get(VARIABLE):
        yield tuple(shlex.split(chosen))
        return
    found: Sequence[str | None] = (
        sys.executable,
        _sibling(shutil.which(tool)),
        shutil.which("python3"),
        "/usr/bin/python3",
    )
    for path in dict.fromkeys(path for path in found if path and os.path.exists(path)):
        yield (path,)


def _sibling(tool: str | None) -> str | None:
    return None if tool is None else os.path.join(os.path.dirname(tool), "python3")
