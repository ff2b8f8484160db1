"""Calls a function of Parsl on a worker: ``task_script.py PID PYTHON PATH MODULE FUNCTION ...``.

The script is sent to workers, and imports Parsl from the environment there. PID is the process that the
worker has started: usually this one, which has taken the place of the shell. PYTHON is the driver's
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


def main(pid: str, python: str, path: str, module: str, function: str, *words: str) -> None:
    """Import Parsl, and call its function."""
    if pid == str(os.getpid()):
        lead_own_group()
        continue_in_child()
    sys.path[0] = os.getcwd()  # instead of this file's directory
    try:
        imported = importlib.import_module(module)
    except ImportError as error:
        if os.access(python, os.X_OK) and python != sys.executable:
            os.execv(python, [python, __file__, pid, python, path, module, function, *words])
        sys.stderr.write(f"{sys.executable}: {error}\n")
        sys.exit(NO_PARSL)
    sys.path += [entry for entry in path.split(os.pathsep) if entry not in sys.path]
    getattr(imported, function)(*words)


def lead_own_group() -> None:
    """Make this process the leader of a process group.

    To cancel a task, or to end, a worker signals the group of the process that it has started, and waits for
    its end. The worker makes the group itself, but only after the start: if the process executes another
    program first, that fails, and the worker would wait for ever (``setpgid(2)``, EACCES).
    """
    try:
        os.setpgid(0, 0)
    except PermissionError:
        return  # this process leads a session, and so a group


def continue_in_child() -> None:
    """Return in a child. This process waits for its end, and reports a signal as a shell does.

    To a worker, the end by signal 9 and the exit code 9 look the same.
    """
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main(*sys.argv[1:])
