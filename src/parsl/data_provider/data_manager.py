"""Access of staging providers to the kernel, and the default staging providers."""

from __future__ import annotations

import os
import threading

from parsl.common import pass_on_upstream_names
from parsl.data_provider.errors import CannotStage, without_password
from parsl.vocabulary import INTERNAL_LABEL
from parsl.vocabulary.data_future import DataFuture

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future
    from typing import Any

    from parsl.vocabulary.files import File

    #: The staging providers of executors without ``storage_access``. Extend them for one executor by
    #: ``storage_access=default_staging + [...]``.
    default_staging: list[Any]

__all__ = ["DataManager", "default_staging"]


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
        self._lock = threading.Lock()
        self._running: dict[object, DataFuture] = {}
        #: The URL that has a local path, as hashes, because there may be millions of files.
        self._path_owners: dict[int, int] = {}

    def working_dir(self, executor: str) -> str:
        """Return the directory for an executor's files; empty for the current directory of its tasks."""
        return os.fspath(getattr(self.dfk.executors[executor], "working_dir", None) or "")

    def local_path(self, file: File, executor: str, name: str | None = None) -> str:
        """Return the path of a file where an executor's tasks run: its name, in the working directory.

        If another URL already has that path, as with ``http://a/data.csv`` and ``http://b/data.csv``, the
        file gets a directory of its own, so that no task reads the wrong file.

        Args:
            file: The file.
            executor: The label of the executor.
            name: The name to use instead of the file's own; may be a relative path.

        Raises:
            CannotStage: The file has no name.
        """
        name = name or file.filename
        if not name or name in (".", ".."):
            url = without_password(file.url)
            raise CannotStage(f"{url!r} does not name a file: its path ends with a slash")
        working_dir = self.working_dir(executor)
        path = os.path.join(working_dir, name)
        owner = hash(file.url)
        with self._lock:
            if self._path_owners.setdefault(hash((executor, path)), owner) == owner:
                return path
        from hashlib import sha256

        digest = sha256(file.url.encode("utf-8", "surrogateescape")).hexdigest()
        return os.path.join(working_dir, f"url-{digest[:16]}", name)

    def submit_transfer(
        self,
        func: Callable[..., Any],
        args: Sequence[Any],
        executor: str = INTERNAL_LABEL,
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
        counts = f"{len(self._running)} transfers running, {len(self._path_owners)} files"
        return f"<{type(self).__name__} {counts}>"


pass_on_upstream_names(__name__)
