"""Files that tasks copy from and to the submitting host with rsync."""

from __future__ import annotations

import os
from functools import partial

from parsl import validate
from parsl.common.representation import RepresentationMixin
from parsl.data_provider.errors import TransferError
from parsl.data_provider.staged_call import StagedCall, make_parents
from parsl.data_provider.staging import Staging

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from typing import Any

    from parsl.data_provider.data_manager import DataManager
    from parsl.vocabulary.data_future import DataFuture
    from parsl.vocabulary.files import File

#: Not asking for a password, which nobody could type.
_REMOTE_SHELL = "ssh -o BatchMode=yes"


class RSyncStaging(Staging, RepresentationMixin):
    """Copies files of the submitting host to and from nodes that do not share its disk.

    The copying is done by ``rsync`` over ``ssh``, in the task: each node must be able to log in to the
    submitting host without a password. (``RSYNC_RSH`` in the workers' environment names another program
    than ssh.) Relative paths are relative to the driver's current directory.

    Args:
        hostname: The submitting host, as the nodes know it; may be ``user@host``.
    """

    schemes = ("file",)

    def __init__(self, hostname: str) -> None:
        self.hostname = validate.text(self, "hostname", hostname, allow_empty=False, one_line=True)
        if hostname.startswith("-") or ":" in hostname:
            validate.wrong_value(self, "hostname", hostname, "a host, or user@host")

    def can_stage_in(self, file: File) -> bool:
        """Files on the submitting host's disk."""
        return file.scheme == "file"

    def can_stage_out(self, file: File) -> bool:
        """Files on the submitting host's disk."""
        return file.scheme == "file"

    def stage_in(
        self, dm: DataManager, executor: str, file: File, parent_fut: Future[Any] | None
    ) -> DataFuture | None:
        """Say where the file will be."""
        file.local_path = dm.local_path(file, executor)
        return None

    def stage_out(
        self, dm: DataManager, executor: str, file: File, parent_fut: Future[Any]
    ) -> Future[Any] | None:
        """Say where the task has to write the file, and see to the directory that it is copied to."""
        file.local_path = dm.local_path(file, executor)
        make_parents(os.path.abspath(file.path))
        return None

    def replace_task(
        self, dm: DataManager, executor: str, file: File, func: Callable[..., Any]
    ) -> Callable[..., Any] | None:
        """Have the file copied before the function is called."""
        return in_task_stage_in_wrapper(func, file, dm.working_dir(executor), self.hostname)

    def replace_task_stage_out(
        self, dm: DataManager, executor: str, file: File, func: Callable[..., Any]
    ) -> Callable[..., Any] | None:
        """Have the file copied once the function has returned."""
        return in_task_stage_out_wrapper(func, file, dm.working_dir(executor), self.hostname)


def in_task_stage_in_wrapper(
    func: Callable[..., Any], file: File, working_dir: str | None, hostname: str
) -> StagedCall:
    """Return a function that copies ``file`` from ``hostname`` to where it is needed and calls ``func``."""
    local_path = _local_path(file, working_dir)
    return StagedCall(func, before=[partial(rsync_from, hostname, os.path.abspath(file.path), local_path)])


def in_task_stage_out_wrapper(
    func: Callable[..., Any], file: File, working_dir: str | None, hostname: str
) -> StagedCall:
    """Return a function that calls ``func`` and copies what that has written to ``file`` on ``hostname``."""
    local_path = _local_path(file, working_dir)
    return StagedCall(
        func,
        before=[partial(make_parents, local_path)],
        after=[partial(rsync_to, hostname, os.path.abspath(file.path), local_path)],
    )


def _local_path(file: File, working_dir: str | None) -> str:
    if file.local_path is None:
        file.local_path = os.path.join(working_dir or "", file.filename)
    return file.local_path


def rsync_from(hostname: str, path: str, local_path: str) -> None:
    """Copy a file from a host with the rsync command.

    Raises:
        TransferError: It fails, or there is no rsync here.
    """
    make_parents(local_path)
    _rsync(f"{hostname}:{path}", _local(local_path))


def rsync_to(hostname: str, path: str, local_path: str) -> None:
    """Copy a file to a host with the rsync command; raises as :func:`rsync_from` does."""
    _rsync(_local(local_path), f"{hostname}:{path}")


def _local(path: str) -> str:
    """Write a local path so that rsync does not take what is before a colon for a host."""
    return os.path.join(".", path)


def _rsync(source: str, destination: str) -> None:
    from subprocess import DEVNULL, run

    command = ["rsync", "-e", os.environ.get("RSYNC_RSH", _REMOTE_SHELL)]
    command += ["-sLpt", "--", source, destination]  # -s: spaces in remote paths are meant literally
    try:
        done = run(command, stdin=DEVNULL, capture_output=True, text=True, errors="replace", check=False)
    except FileNotFoundError as error:
        reason = "there is no rsync on the PATH where the task runs; install it on the nodes"
        raise TransferError(source, destination, reason) from error
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip() or "nothing"
        raise TransferError(source, destination, f"rsync ended with exit code {done.returncode}: {said}")
