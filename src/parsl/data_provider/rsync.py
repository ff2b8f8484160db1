"""Files that tasks copy from and to the submitting host with rsync."""

from __future__ import annotations

import os
from functools import partial

from parsl import validate
from parsl.data_provider.errors import TransferError
from parsl.data_provider.transfers import StagedCall, TwoWayStaging, make_parents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from concurrent.futures import Future
    from typing import Any

    from parsl.data_provider.data_manager import DataManager
    from parsl.data_provider.staging import Func
    from parsl.vocabulary.files import File

#: In batch mode, ssh fails instead of prompting for a password.
_REMOTE_SHELL = "ssh -o BatchMode=yes"


def _check_hostname(owner: object, name: str, value: object) -> str:
    hostname = validate.text(owner, name, value, allow_empty=False, one_line=True)
    if hostname.startswith("-") or ":" in hostname:
        validate.wrong_value(owner, name, value, "a host, or user@host")
    return hostname


class RSyncStaging(TwoWayStaging):
    """Copies files of the submitting host to and from nodes that do not share its disk.

    The task itself copies the files, with ``rsync`` over ``ssh``: each node must be able to log in to the
    submitting host without a password. (``RSYNC_RSH`` in the workers' environment selects another program
    than ssh.) Relative paths are relative to the driver's current directory.

    Args:
        hostname: The submitting host as the nodes know it, optionally as ``user@host``.
    """

    schemes = ("file",)
    hostname = validate.Custom(_check_hostname)

    def __init__(self, hostname: str) -> None:
        validate.assign(self, locals())

    def stage_in(self, dm: DataManager, executor: str, file: File, parent_fut: Future[Any] | None) -> None:
        """Choose the local path of the file."""
        file.local_path = dm.local_path(file, executor)

    def stage_out(self, dm: DataManager, executor: str, file: File, parent_fut: Future[Any]) -> None:
        """Choose the local path of the file, and make its directory on the submitting host."""
        file.local_path = dm.local_path(file, executor)
        make_parents(os.path.abspath(file.path))

    def replace_task(self, dm: DataManager, executor: str, file: File, func: Func) -> Func | None:
        """Return a function that copies the file and then calls ``func``."""
        return in_task_stage_in_wrapper(func, file, dm.working_dir(executor), self.hostname)

    def replace_task_stage_out(self, dm: DataManager, executor: str, file: File, func: Func) -> Func | None:
        """Return a function that calls ``func`` and then copies the file."""
        return in_task_stage_out_wrapper(func, file, dm.working_dir(executor), self.hostname)


def in_task_stage_in_wrapper(func: Func, file: File, working_dir: str | None, hostname: str) -> StagedCall:
    """Return a function that copies ``file`` from ``hostname`` and then calls ``func``."""
    step = partial(rsync_from, hostname, os.path.abspath(file.path), _local_path(file, working_dir))
    return StagedCall(func, before=[step])


def in_task_stage_out_wrapper(func: Func, file: File, working_dir: str | None, hostname: str) -> StagedCall:
    """Return a function that calls ``func`` and then copies the file it has written to ``hostname``."""
    local_path = _local_path(file, working_dir)
    return StagedCall(
        func,
        before=[partial(make_parents, local_path)],
        after=[partial(rsync_to, hostname, os.path.abspath(file.path), local_path)],
    )


def rsync_from(hostname: str, path: str, local_path: str) -> None:
    """Copy a file from a host with the rsync command; raises TransferError."""
    make_parents(local_path)
    _rsync(f"{hostname}:{path}", _local(local_path))


def rsync_to(hostname: str, path: str, local_path: str) -> None:
    """Copy a file to a host with the rsync command; raises TransferError."""
    _rsync(_local(local_path), f"{hostname}:{path}")


def _local_path(file: File, working_dir: str | None) -> str:
    if file.local_path is None:
        file.local_path = os.path.join(working_dir or "", file.filename)
    return file.local_path


def _local(path: str) -> str:
    """Return a local path in a form in which rsync does not take the text before a colon for a host."""
    return os.path.join(".", path)


def _rsync(source: str, destination: str) -> None:
    from subprocess import DEVNULL, run

    command = ["rsync", "-e", os.environ.get("RSYNC_RSH", _REMOTE_SHELL)]
    command += ["-sLpt", "--", source, destination]  # -s: take spaces in remote paths literally
    try:
        done = run(command, stdin=DEVNULL, capture_output=True, text=True, errors="replace", check=False)
    except FileNotFoundError as error:
        reason = "rsync is not on the PATH where the task runs; install it on the nodes"
        raise TransferError(source, destination, reason) from error
    if done.returncode != 0:
        output = done.stderr.strip() or done.stdout.strip() or "no message"
        raise TransferError(source, destination, f"rsync ended with exit code {done.returncode}: {output}")
