"""Access of staging providers to the kernel."""

from __future__ import annotations

import os
import threading

from parsl.data_provider.errors import CannotStage, without_password
from parsl.vocabulary.data_future import DataFuture
from parsl.vocabulary.files import File

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future
    from typing import Any


#: The executor of the driver's own threads.
INTERNAL_EXECUTOR = "_parsl_internal"


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
        """Return the path of a file, which is valid in ``scope``: the label of an executor.

        An empty ``working_dir`` is the current directory of the process that uses the path.
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
    """Chooses paths for staging providers, and submits their transfers.

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

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self._running)} transfers running, {self._paths!r}>"
