"""Stand-ins for parts of a supercomputer, for tests of your own workflows and of Parsl itself.

`install_pals_mpiexec` writes an ``mpiexec`` that takes the options of HPE PALS, as on Aurora and Polaris, and
runs all ranks on this host. ``python -m parsl.testing.pals_mpiexec`` is the same program.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["install_pals_mpiexec"]

#: The directory from which the ``parsl`` package is imported.
IMPORT_DIRECTORY = str(Path(__file__).resolve().parents[2])
_BOOT = "import sys; sys.path[:0] = {paths!r}; from {module} import {name}; sys.exit({name}(sys.argv[1:]))"


def install_pals_mpiexec(directory: str | os.PathLike[str], python: str = sys.executable) -> Path:
    """Write an executable ``mpiexec`` that behaves like the one of HPE PALS.

    Args:
        directory: The directory for the executable; created if missing. Put it at the front of PATH.
        python: The Python that runs the executable.

    Returns:
        The path of the executable.
    """
    return install_command(directory, "mpiexec", python_command("parsl.testing.pals_mpiexec:main", python))


def install_command(directory: str | os.PathLike[str], name: str, command: Sequence[str]) -> Path:
    """Write an executable that runs a command line and appends its own arguments; return its path."""
    os.makedirs(directory, exist_ok=True)
    executable = Path(directory, name)
    executable.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    executable.chmod(0o755)
    return executable


def python_command(
    function: str, python: str = sys.executable, import_paths: Sequence[str] = (IMPORT_DIRECTORY,)
) -> list[str]:
    """Return the command line of a Python that exits with the result of ``module:name``(arguments)."""
    module, _, name = function.partition(":")
    boot = _BOOT.format(paths=list(import_paths), module=module, name=name)
    # Isolated and without site-packages, it starts quickly, and no PYTHONPATH leaks into what it starts.
    return [python, "-I", "-S", "-c", boot]
