"""Chooses the staging provider of each file, and gives providers access to the kernel."""

from __future__ import annotations

import os
import threading

from parsl.data_provider.errors import CannotStage, without_password
from parsl.vocabulary.data_future import DataFuture
from parsl.vocabulary.files import File

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Future
    from typing import Any

    from parsl.data_provider.staging import Staging

#: The executor of the driver's own threads.
INTERNAL_EXECUTOR = "_parsl_internal"
#: The provider to configure for each scheme that the default providers do not support.
_OPTIONAL = {"globus": "parsl.data_provider.globus.GlobusStaging"}


class LocalPaths:
    """Chooses the local path of each staged file; any thread may call its methods.

    A file keeps its name, in the executor's working directory. Only if another URL already has that path,
    as with ``http://a/data.csv`` and ``http://b/data.csv``, does the later file get its own directory, so
    that no task reads the wrong file.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owners: dict[int, int] = {}  # hashes of paths and URLs, as there may be millions of files

    def choose(self, working_dir: str, name: str, url: str, scope: str = "") -> str:
        """Return the path of a file.

        Args:
            working_dir: The directory; empty for the current directory of the process that uses the path.
            name: The file's name, or a relative path.
            url: The URL of the original.
            scope: Where the path is valid: the label of an executor.
        """
        path = os.path.join(working_dir, name)
        key = hash((scope, path))
        with self._lock:
            if self._owners.setdefault(key, hash(url)) == hash(url):
                return path
        return os.path.join(working_dir, _digest(url), name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._owners)} files>"


def _digest(url: str) -> str:
    from hashlib import sha256

    return "url-" + sha256(url.encode("utf-8", "surrogateescape")).hexdigest()[:16]


class DataManager:
    """Stages files with the providers of each executor, and submits the transfers of these providers.

    Any thread may call its methods.

    Args:
        dfk: The kernel.

    Attributes:
        dfk: The kernel. ``dm.dfk.executors[label].working_dir`` is the directory for an executor's files.
    """

    def __init__(self, dfk: Any) -> None:
        self.dfk = dfk
        self._paths = LocalPaths()
        self._running: dict[object, DataFuture] = {}
        self._lock = threading.Lock()

    def leaves_alone(self, file: File, executor: str) -> bool:
        """Return True if an input file certainly needs no staging; this check is fast."""
        return file.scheme == "file" and getattr(self.dfk.executors[executor], "storage_access", None) is None

    def optionally_stage_in(
        self, input: Any, func: Callable[..., Any], executor: str
    ) -> tuple[Any, Callable[..., Any]]:
        """Stage an argument in if it is a file.

        Args:
            input: The argument.
            func: The task's function.
            executor: The label of the task's executor.

        Returns:
            The argument and the function to use instead.

        Raises:
            CannotStage: The argument is a file that no provider can stage in.
        """
        if isinstance(input, DataFuture):
            given, parent = input.file_obj, input
        elif isinstance(input, File):
            given, parent = input, None
        else:
            return input, func
        provider = self._provider(given, executor, "stage_in")
        file = given.cleancopy()
        staged = provider.stage_in(self, executor, file, parent_fut=parent)
        func = provider.replace_task(self, executor, file, func) or func
        if staged is not None:
            return staged, func
        if file.local_path is None:
            return input, func
        return (file if parent is None else DataFuture(parent, file, parent.tid)), func

    def check_stage_out(self, files: Iterable[File], executor: str) -> None:
        """Check that providers can stage all files out.

        Raises:
            CannotStage: No provider can stage one of the files out.
        """
        for file in files:
            self._provider(file, executor, "stage_out")

    def stage_out(
        self, file: File, func: Callable[..., Any], executor: str, app_fu: Future[Any], tid: int
    ) -> tuple[File, Callable[..., Any], DataFuture]:
        """Stage a file out.

        Args:
            file: The file.
            func: The task's function.
            executor: The label of the task's executor.
            app_fu: The future of the task.
            tid: The number of the task.

        Returns:
            The file for the task to write, the function to use instead, and the future of the file.

        Raises:
            CannotStage: No provider can stage the file out.
        """
        provider = self._provider(file, executor, "stage_out")
        written = file.cleancopy()
        staged = provider.stage_out(self, executor, written, app_fu)
        func = provider.replace_task_stage_out(self, executor, written, func) or func
        if written.local_path is None:
            written = file
        future = DataFuture(app_fu if staged is None else staged, file, tid)
        return written, func, future

    def working_dir(self, executor: str) -> str:
        """Return the directory for an executor's files; empty for the current directory of its tasks."""
        return os.fspath(getattr(self.dfk.executors[executor], "working_dir", None) or "")

    def local_path(self, file: File, executor: str, name: str | None = None) -> str:
        """Return the path of a file where an executor's tasks run: its name, in the working directory.

        Args:
            file: The file.
            executor: The label of the executor.
            name: The name to use instead of the file's own; may be a relative path.

        Raises:
            CannotStage: The file has no name.
        """
        name = name or file.filename
        if not name or name in (".", ".."):
            raise CannotStage(f"{without_password(file.url)!r} names no file: its path ends with a slash")
        return self._paths.choose(self.working_dir(executor), name, file.url, executor)

    def submit_transfer(
        self,
        func: Callable[..., Any],
        args: Sequence[Any],
        executor: str = INTERNAL_EXECUTOR,
        after: Sequence[Future[Any]] = (),
    ) -> Any:
        """Submit a task that moves a file. The task is retried like any other.

        Args:
            func: The function to call.
            args: Its arguments. Files and futures among them are passed on unchanged.
            executor: The label of the executor that runs the task; by default, a thread of the driver.
            after: Futures that have to complete first. If one of them fails, so does the transfer.

        Returns:
            The task's future, an AppFuture.
        """
        return self.dfk.submit_transfer(func, args, executor, after)

    def fetch_once(
        self,
        executor: str,
        file: File,
        func: Callable[..., Any],
        args: Sequence[Any],
        parent_fut: Future[Any] | None,
        run_on: str | None = None,
    ) -> DataFuture:
        """Submit a transfer that stages a file in, or return the one that is already running.

        Args:
            executor: The label of the executor that needs the file.
            file: The file, with its local path.
            func: Moves the file.
            args: The arguments of ``func``.
            parent_fut: Completes when the file exists; None if the file exists already.
            run_on: The label of the executor that runs the transfer; None for ``executor``.
        """
        key = (executor, file.url, file.local_path)
        with self._lock:
            if (running := self._running.get(key)) is not None:
                return running
        after = [] if parent_fut is None else [parent_fut]
        transfer = self.submit_transfer(func, args, run_on or executor, after)
        future = DataFuture(transfer, file, transfer.tid)
        with self._lock:
            self._running[key] = future
        future.add_done_callback(lambda _: self._forget(key))
        return future

    def _forget(self, key: object) -> None:
        with self._lock:
            self._running.pop(key, None)

    def providers(self, executor: str) -> Sequence[Staging]:
        """Return the staging providers of an executor: its ``storage_access``, or the default ones."""
        chosen: Sequence[Staging] | None = getattr(self.dfk.executors[executor], "storage_access", None)
        return _default_providers() if chosen is None else chosen

    def _provider(self, file: File, executor: str, direction: str) -> Staging:
        for provider in self.providers(executor):
            if getattr(provider, f"can_{direction}")(file):
                return provider
        raise CannotStage(self._cannot(file, executor, direction))

    def _cannot(self, file: File, executor: str, direction: str) -> str:
        providers = self.providers(executor)
        able = ", ".join(_schemes(provider) for provider in providers if _supports(provider, direction))
        hint = (
            f"add {_OPTIONAL[file.scheme]}" if file.scheme in _OPTIONAL else "add a staging provider for it"
        )
        verb = direction.replace("_", " ")
        return (
            f"Executor {executor!r} cannot {verb} file {without_password(file.url)!r}: "
            f"none of its staging providers supports the scheme {file.scheme!r}. "
            f"Schemes it can {verb}: {able or 'none'}. "
            f"To support this scheme, {hint} to the executor's storage_access"
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self._running)} transfers running, {self._paths!r}>"


_defaults: list[Staging] = []


def _default_providers() -> Sequence[Staging]:
    """Return providers for files on disk, FTP and HTTP servers (in separate tasks) and zip archives."""
    if not _defaults:
        from parsl.data_provider.file_noop import NoOpFileStaging
        from parsl.data_provider.ftp import FTPSeparateTaskStaging
        from parsl.data_provider.http import HTTPSeparateTaskStaging
        from parsl.data_provider.zip import ZipFileStaging

        _defaults[:] = [
            NoOpFileStaging(),
            FTPSeparateTaskStaging(),
            HTTPSeparateTaskStaging(),
            ZipFileStaging(),
        ]
    return _defaults


def _supports(provider: Staging, direction: str) -> bool:
    """Return whether a provider overrides the interface's method for a direction."""
    from parsl.data_provider.staging import Staging

    name = f"can_{direction}"
    return getattr(type(provider), name, None) is not getattr(Staging, name)


def _schemes(provider: Staging) -> str:
    return ", ".join(getattr(provider, "schemes", ())) or f"those of {type(provider).__name__}"
