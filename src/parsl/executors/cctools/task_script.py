"""The program that calls a function of Parsl on a worker: ``task_script.py PYTHON PATH MODULE FUNCTION ...``.

It is sent to workers, and imports Parsl from the environment that it finds there. PYTHON is the driver's
interpreter, which takes over if it exists on the worker and the first one has no Parsl. PATH is the driver's
``sys.path``, for modules that only the driver's machine, or a shared file system, has. The function gets the
remaining words. Standard library only.
"""

from __future__ import annotations

import importlib
import os
import sys

#: The exit code if Parsl cannot be imported.
NO_PARSL = 81


def main(python: str, path: str, module: str, function: str, *words: str) -> None:
    """Import Parsl, and call its function."""
    sys.path[0] = os.getcwd()  # instead of this file's directory
    try:
        imported = importlib.import_module(module)
    except ImportError as error:
        if os.access(python, os.X_OK) and python != sys.executable:
            os.execv(python, [python, __file__, python, path, module, function, *words])
        sys.stderr.write(f"{sys.executable}: {error}\n")
        sys.exit(NO_PARSL)
    sys.path += [entry for entry in path.split(os.pathsep) if entry not in sys.path]
    getattr(imported, function)(*words)


if __name__ == "__main__":
    main(*sys.argv[1:])
