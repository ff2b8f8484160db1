"""The numbered directories of runs (``runinfo/000``, ``runinfo/001``, ...), writable by their user only."""

from __future__ import annotations

import os
from collections.abc import Sequence

#: Colleagues may read a run's logs and scripts, as is usual on shared machines. Write access would let them
#: choose what the run's jobs execute, so these modes hold whatever the umask allows. The certificates inside
#: have a stricter directory of their own.
_MODE = 0o755
_FILE_MODE = 0o644

_MAX_ATTEMPTS = 10_000


def make_rundir(path: str | os.PathLike[str]) -> str:
    """Make the directory of a new run in ``path``, which is made if missing, and return its absolute path.

    Its number is one above the highest existing one. Several drivers may do so at the same time.
    """
    base = os.path.abspath(path)
    make_directory(base)
    number = max((number for number, _ in _numbered_names(base)), default=-1) + 1
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
    """Make a directory that only its user can write to, and its parents where they are missing."""
    parent = os.path.dirname(os.fspath(path).rstrip(os.sep))
    if parent and not os.path.exists(parent):
        make_directory(parent)
    try:
        os.mkdir(path, _MODE)
    except FileExistsError:
        if not os.path.isdir(path):
            raise


def for_the_user(path: str, flags: int) -> int:
    """Open a file that only its user can write to; for ``open(..., opener=for_the_user)``."""
    return os.open(path, flags, _FILE_MODE)


def numbered_rundirs(path: str | os.PathLike[str]) -> list[str]:
    """Return the directories of the runs in ``path``, in numerical order; none if ``path`` does not exist."""
    return [os.path.join(path, name) for _, name in sorted(_numbered_names(path))]


def get_all_checkpoints(rundir: str = "runinfo") -> Sequence[str]:
    """Return the checkpoint directories of all runs, the oldest first.

    Empty directories, left by runs that were killed before they wrote a checkpoint, are omitted.

    Args:
        rundir: The directory that holds the runs' directories, ``Config.run_dir``.
    """
    checkpoints = (os.path.abspath(os.path.join(run, "checkpoint")) for run in numbered_rundirs(rundir))
    return [path for path in checkpoints if os.path.isdir(path) and os.listdir(path)]


def get_last_checkpoint(rundir: str = "runinfo") -> Sequence[str]:
    """Return a list with the newest checkpoint directory; an empty list if there is none.

    A checkpoint without results, of a run that failed or was killed early, counts only if all are like that.

    Args:
        rundir: The directory that holds the runs' directories, ``Config.run_dir``.
    """
    checkpoints = get_all_checkpoints(rundir)
    # The newest first: there may be thousands of runs, on a slow file system.
    newest = next(filter(_has_content, reversed(checkpoints)), None)
    return checkpoints[-1:] if newest is None else [newest]


def _has_content(directory: str) -> bool:
    with os.scandir(directory) as entries:
        return any(entry.stat().st_size for entry in entries)


def _numbered_names(path: str | os.PathLike[str]) -> list[tuple[int, str]]:
    try:
        names = os.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [(int(name), name) for name in names if name.isascii() and name.isdigit() and len(name) >= 3]
