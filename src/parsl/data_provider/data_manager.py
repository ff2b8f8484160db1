"""Which provider moves a file, and what it may ask of the kernel."""

from __future__ import annotations

import os
import threading

from parsl.data_provider.errors import CannotStage, without_password
from parsl.data_provider.local_paths import LocalPaths
from parsl.vocabulary.data_future import DataFuture
from parsl.vocabulary.files import File

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Future
    from typing import Any

    from parsl.data_provider.staging import Staging

#: What to configure for schemes that the default providers do not have.
_OPTIONAL = {"globus": "parsl.data_provider.globus.GlobusStaging"}


class DataManager:
    """Finds the provider for each file, has it do its part, and gives it what it needs for that.

    Any thread may call it.

    Args:
        dfk: The kernel.

    Attributes:
        dfk: The kernel. ``dm.dfk.executors[label].working_dir`` is where an executor wants its files.
    """

    def __init__(self, dfk: Any) -> None:
        self.dfk = dfk
        self._paths = LocalPaths()
        self._under_way: dict[object, DataFuture] = {}
        self._lock = threading.Lock()

    # For the kernel

    def leaves_alone(self, file: File, executor: str) -> bool:
        """Whether it is sure, at a glance, that there is nothing to do for a file that a task reads."""
        return file.scheme == "file" and getattr(self.dfk.executors[executor], "storage_access", None) is None

    def optionally_stage_in(
        self, input: Any, func: Callable[..., Any], executor: str
    ) -> tuple[Any, Callable[..., Any]]:
        """Have an argument brought to where the task runs, if it is a file that has to be.

        Args:
            input: The argument.
            func: The task's function.
            executor: The label of the task's executor.

        Returns:
            What takes the argument's place, and the function's.

        Raises:
            CannotStage: It is a file that no provider can bring there.
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
        """Refuse files that no provider can bring out.

        Raises:
            CannotStage: There is one.
        """
        for file in files:
            self._provider(file, executor, "stage_out")

    def stage_out(
        self, file: File, func: Callable[..., Any], executor: str, app_fu: Future[Any], tid: int
    ) -> tuple[File, Callable[..., Any], DataFuture]:
        """Have a file brought from where a task has written it.

        Args:
            file: The file.
            func: The task's function.
            executor: The label of the task's executor.
            app_fu: The future of the task.
            tid: The number of the task.

        Returns:
            The file for the task to write, what takes the function's place, and the future of the file.

        Raises:
            CannotStage: No provider can.
        """
        provider = self._provider(file, executor, "stage_out")
        written = file.cleancopy()
        staged = provider.stage_out(self, executor, written, app_fu)
        func = provider.replace_task_stage_out(self, executor, written, func) or func
        if written.local_path is None:
            written = file
        future = DataFuture(app_fu if staged is None else staged, file, tid)
        return written, func, future

    # For providers

    def working_dir(self, executor: str) -> str:
        """Return where an executor wants its files; empty for the current directory of its tasks."""
        return os.fspath(getattr(self.dfk.executors[executor], "working_dir", None) or "")

    def local_path(self, file: File, executor: str, name: str | None = None) -> str:
        """Return the path for a file where an executor's tasks run: its name, in the working directory.

        Args:
            file: The file.
            executor: The label of the executor.
            name: Another name, or a relative path.

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
        executor: str = "_parsl_internal",
        after: Sequence[Future[Any]] = (),
    ) -> Any:
        """Make a task that moves a file. It is retried as any task is.

        Args:
            func: What to call.
            args: Its arguments, as they are: files and futures among them are not looked at.
            executor: The label of the executor that runs it; by default a thread of the driver.
            after: What has to be done before; if it fails, the transfer does.

        Returns:
            The task's future, an AppFuture.
        """
        return self.dfk.submit_transfer(func, args, executor, after)

    def fetch_once(self, executor: str, file: File, start: Callable[[], Any]) -> DataFuture:
        """Have a file brought in, once for all tasks that ask for it while that is under way.

        Args:
            executor: The label of the executor.
            file: The file, with its local path.
            start: Submits the transfer; returns its AppFuture.
        """
        key = (executor, file.url, file.local_path)
        with self._lock:
            if (under_way := self._under_way.get(key)) is not None:
                return under_way
        transfer = start()
        future = DataFuture(transfer, file, transfer.tid)
        with self._lock:
            self._under_way[key] = future
        future.add_done_callback(lambda _: self._arrived(key))
        return future

    def _arrived(self, key: object) -> None:
        with self._lock:
            self._under_way.pop(key, None)

    # Providers

    def providers(self, executor: str) -> Sequence[Staging]:
        """Return what moves files for an executor: its ``storage_access``, or the default providers."""
        chosen: Sequence[Staging] | None = getattr(self.dfk.executors[executor], "storage_access", None)
        return _default_providers() if chosen is None else chosen

    def _provider(self, file: File, executor: str, direction: str) -> Staging:
        for provider in self.providers(executor):
            if getattr(provider, f"can_{direction}")(file):
                return provider
        raise CannotStage(self._cannot(file, executor, direction))

    def _cannot(self, file: File, executor: str, direction: str) -> str:
        providers = self.providers(executor)
        able = ", ".join(_schemes(provider) for provider in providers if _may(provider, direction))
        hint = f"add {_OPTIONAL[file.scheme]}" if file.scheme in _OPTIONAL else "add a provider for it"
        verb = direction.replace("_", " ")
        return (
            f"Executor {executor!r} cannot {verb} file {without_password(file.url)!r}: "
            f"none of its staging providers does that for the scheme {file.scheme!r}. "
            f"Schemes it can {verb}: {able or 'none'}. "
            f"To have another one, {hint} to the executor's storage_access"
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self._under_way)} files on their way, {self._paths!r}>"


_defaults: list[Staging] = []


def _default_providers() -> Sequence[Staging]:
    """Files on disk, FTP and HTTP in tasks of their own, zip archives."""
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


def _may(provider: Staging, direction: str) -> bool:
    """Whether a provider says more than the interface's "no" about a direction."""
    from parsl.data_provider.staging import Staging

    name = f"can_{direction}"
    return getattr(type(provider), name, None) is not getattr(Staging, name)


def _schemes(provider: Staging) -> str:
    return ", ".join(getattr(provider, "schemes", ())) or f"those of {type(provider).__name__}"
