"""The shell text that a job begins with, put together from what users say."""

from __future__ import annotations

import os
import sys

from parsl import validate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import PathLike


def compose_worker_init(
    owner: str,
    environment: str | PathLike[str] | None,
    worker_init: str,
    directory: str | PathLike[str] | None,
) -> str:
    """Return the text: what the user wants, then the activation, then the change of directory.

    Modules put their own programs to the front of the PATH: an environment is activated after them.

    Args:
        owner: The configuration, for errors.
        environment: The directory of a virtual environment, or a script to source; None: the virtual
            environment that the driver runs in, if it does. Empty: none.
        worker_init: Further shell text.
        directory: Where the job is to run; None: the driver's working directory.

    Raises:
        ParameterError: One of them is wrong.
    """
    text = validate.text(owner, "worker_init", worker_init)
    where = os.getcwd() if directory is None else _path(owner, "directory", directory)
    lines = [text.strip(), _activation(owner, environment), f"cd {_quoted(where)}" if where else ""]
    return "\n".join(line for line in lines if line)


def _activation(owner: str, environment: str | PathLike[str] | None) -> str:
    if environment is None:
        return "" if sys.prefix in ("/usr", "/usr/local") else _activate(sys.prefix)
    path = _path(owner, "environment", environment)
    return _activate(path) if path else ""


def _activate(path: str) -> str:
    here = os.path.expanduser(os.path.expandvars(path))
    script = os.path.join(here, "bin", "activate")
    if os.path.isfile(here):
        return f"source {_quoted(path)}"
    if os.path.isdir(os.path.join(here, "bin")) and not os.path.exists(script):
        return f"export PATH={_quoted(os.path.join(path, 'bin'))}:$PATH"  # of conda, or of no tool at all
    return f"source {_quoted(os.path.join(path, 'bin', 'activate'))}"


def _path(owner: str, name: str, value: object) -> str:
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    return validate.text(owner, name, text, one_line=True)


def _quoted(path: str) -> str:
    """Quote a path for bash; ~ and variables are left for it to replace."""
    from shlex import quote

    if path == "~" or path.startswith("~/"):
        path = f"$HOME{path[1:]}"
    if "$" not in path:
        return quote(path)
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("`", "\\`")
    return f'"{escaped}"'
