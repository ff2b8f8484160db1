"""The program that runs one task on a worker: ``task_script.py CALL OUTCOME PYTHON PATH``.

It is sent to workers, and imports Parsl from the environment that it finds there. PYTHON is the driver's
interpreter, which takes over if it exists on the worker and the first one has no Parsl. PATH is the driver's
``sys.path``, for modules that only the driver's machine, or a shared file system, has. Standard library only.
"""

from __future__ import annotations

import os
import sys

#: The exit code if Parsl cannot be imported.
NO_PARSL = 81


def main(call: str, outcome: str, python: str, path: str) -> None:
    """Read a call, run it, and write its outcome."""
    sys.path[0] = os.getcwd()  # instead of this file's directory
    try:
        from parsl.executors.engines.remote_call import run_call
    except ImportError as error:
        if os.access(python, os.X_OK) and python != sys.executable:
            os.execv(python, [python, __file__, call, outcome, python, path])
        sys.stderr.write(f"{sys.executable}: {error}\n")
        sys.exit(NO_PARSL)
    sys.path += [entry for entry in path.split(os.pathsep) if entry not in sys.path]
    with open(call, "rb") as file:
        packed = file.read()
    result = run_call(packed)
    # Under another name first: a file of this name is complete.
    with open(f"{outcome}.part", "wb") as file:
        file.write(result)
    os.rename(f"{outcome}.part", outcome)


if __name__ == "__main__":
    main(*sys.argv[1:])
