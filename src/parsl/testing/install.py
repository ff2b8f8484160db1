"""Puts the stand-ins where a PATH can find them."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

_STARTER = "import sys; sys.path.insert(0, {home!r}); from {module} import main; sys.exit(main(sys.argv[1:]))"


def install_pals_mpiexec(directory: str | os.PathLike[str], python: str = sys.executable) -> Path:
    """Write an executable ``mpiexec`` that behaves as the one of HPE PALS.

    Args:
        directory: Where to; made if missing. Put it at the front of PATH.
        python: The Python to run it with.

    Returns:
        The path of the executable.
    """
    return _install(Path(directory), "mpiexec", "parsl.testing.pals_mpiexec", python)


def _install(directory: Path, name: str, module: str, python: str) -> Path:
    home = str(Path(__file__).resolve().parents[2])
    # Isolated and without site-packages: quick to start, and no PYTHONPATH leaks into what it runs.
    command = [python, "-I", "-S", "-c", _STARTER.format(home=home, module=module)]
    directory.mkdir(parents=True, exist_ok=True)
    executable = directory / name
    executable.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    executable.chmod(0o755)
    return executable
