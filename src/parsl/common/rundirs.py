"""The numbered directories of runs, ``runinfo/000``, ``runinfo/001``, ..., where only the user may write."""

from __future__ import annotations

import os

#: Logs and scripts of a run may be read by colleagues, as is usual on shared machines; but whoever
#: can write here can make the run's jobs execute what they like. The certificates inside have a
#: stricter directory of their own. This is so whatever the umask allows.
_MODE = 0o755
_FILE_MODE = 0o644

_MAX_ATTEMPTS = 10_000


def make_rundir(path: str | os.PathLike[str]) -> str:
    """Make the directory of a new run. Any number of drivers may do so together.

    Args:
        path: The directory that holds the runs' directories, ``Config.run_dir``; made if missing.

    Returns:
        The absolute path of the new directory, whose number is one above the highest there is.

    Raises:
        OSError: It cannot be made; the message says which and why.
    """
    base = os.path.abspath(path)
    make_directory(base)
    number = _highest_number(base) + 1
    for candidate in range(number, number + _MAX_ATTEMPTS):
        rundir = os.path.join(base, f"{candidate:03d}")
        try:
            os.mkdir(rundir, _MODE)  # atomic: if another driver is first, ours is the next number
        except FileExistsError:
            continue
        return rundir
    raise OSError(
        f"No directory for this run could be made in {base}: {_MAX_ATTEMPTS} numbers from {number} on "
        "are taken. Choose another run_dir in the Config."
    )


def make_directory(path: str | os.PathLike[str]) -> None:
    """Make a directory that nobody else can write to, with those above it, as far as they are missing.

    Raises:
        OSError: It cannot be made.
    """
    parent = os.path.dirname(os.fspath(path).rstrip(os.sep))
    if parent and not os.path.exists(parent):
        make_directory(parent)
    try:
        os.mkdir(path, _MODE)
    except FileExistsError:
        if not os.path.isdir(path):
            raise


def for_the_user(path: str, flags: int) -> int:
    """Open a file that nobody else can write to; for ``open(..., opener=for_the_user)``."""
    return os.open(path, flags, _FILE_MODE)


def numbered_rundirs(path: str | os.PathLike[str]) -> list[str]:
    """Return the directories of the runs in ``path``, by rising number; none if there is no ``path``."""
    return [os.path.join(path, name) for _, name in sorted(_numbered_names(path))]


def _highest_number(base: str) -> int:
    return max((number for number, _ in _numbered_names(base)), default=-1)


def _numbered_names(path: str | os.PathLike[str]) -> list[tuple[int, str]]:
    try:
        names = os.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [(int(name), name) for name in names if name.isascii() and name.isdigit() and len(name) >= 3]
