"""Building blocks of staging providers: transfers within tasks and as tasks, and safe writing of files.

The functions and :class:`StagedCall` run where the task runs; the staging providers run in the driver.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import partial

from parsl.common.representation import RepresentationMixin
from parsl.data_provider.staging import Staging

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from concurrent.futures import Future
    from typing import IO, Any

    from parsl.data_provider.data_manager import DataManager
    from parsl.data_provider.staging import Func
    from parsl.vocabulary.data_future import DataFuture
    from parsl.vocabulary.files import File

    Download = Callable[[str, str], None]
    Step = Callable[[], object]


class StagedCall:
    """A task's function together with the transfers before and after it that run in the same task."""

    def __init__(self, func: Func, before: Sequence[Step] = (), after: Sequence[Step] = ()) -> None:
        self.func = func
        self.before = tuple(before)
        self.after = tuple(after)
        self.__name__ = getattr(func, "__name__", type(func).__name__)
        # Executors and the kernel look for these attributes on the function of a bash app.
        self.runs_command = getattr(func, "runs_command", False)
        self.enforces_walltime = getattr(func, "enforces_walltime", False)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        for step in self.before:
            step()
        result = self.func(*args, **kwargs)
        for step in self.after:
            step()
        return result

    def __parsl_dependencies__(self) -> tuple[object, ...]:
        return (self.func, *self.before, *self.after)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.__name__}, {len(self.before)} before, {len(self.after)} after>"


class SchemeStaging(Staging, RepresentationMixin):
    """Stages files of its :attr:`schemes` in."""

    def can_stage_in(self, file: File) -> bool:
        """Return whether the file has one of the provider's schemes."""
        return file.scheme in self.schemes


class TwoWayStaging(SchemeStaging):
    """Stages files of its :attr:`schemes` in and out."""

    def can_stage_out(self, file: File) -> bool:
        """Return what :meth:`can_stage_in` returns."""
        return self.can_stage_in(file)


class LocalFileStaging(TwoWayStaging):
    """Stages files out that a task writes to local paths."""

    def replace_task_stage_out(self, dm: DataManager, executor: str, file: File, func: Func) -> Func | None:
        """Return a function that first makes the directory that the task writes to."""
        assert file.local_path is not None
        return after_making_parents(func, file.local_path)


class SeparateTaskDownload(SchemeStaging):
    """Downloads a file in a separate task, on the executor of the task that needs the file.

    Tasks that need a file while its download is running share the download.
    """

    download: Download  #: of a subclass: ``download(url, local_path)``, called where the task runs

    def stage_in(
        self, dm: DataManager, executor: str, file: File, parent_fut: Future[Any] | None
    ) -> DataFuture | None:
        """Submit the download."""
        path = file.local_path = dm.local_path(file, executor)
        return dm.fetch_once(executor, file, self.download, (file.url, path), parent_fut)


class InTaskDownload(SchemeStaging):
    """Downloads a file in each task that needs the file, for disks that belong to one node."""

    download: Download  #: of a subclass: ``download(url, local_path)``, called where the task runs

    def stage_in(self, dm: DataManager, executor: str, file: File, parent_fut: Future[Any] | None) -> None:
        """Choose the local path of the file."""
        file.local_path = dm.local_path(file, executor)

    def replace_task(self, dm: DataManager, executor: str, file: File, func: Func) -> Func | None:
        """Return a function that downloads the file before it calls ``func``."""
        assert file.local_path is not None
        return StagedCall(func, before=[partial(self.download, file.url, file.local_path)])


def wrap_download(download: Download, func: Func, file: File, working_dir: str | None) -> StagedCall:
    """Return a function that downloads a file and calls ``func``; set the file's ``local_path``."""
    file.local_path = os.path.join(working_dir or "", file.filename)
    return StagedCall(func, before=[partial(download, file.url, file.local_path)])


def after_making_parents(func: Func, path: str) -> StagedCall:
    """Return a function that makes the directory of ``path`` and then calls ``func``."""
    return StagedCall(func, before=[partial(make_parents, path)])


def make_parents(path: str) -> None:
    """Make the directory of ``path`` if it is missing."""
    if directory := os.path.dirname(path):
        os.makedirs(directory, exist_ok=True)


@contextmanager
def whole_file(path: str) -> Generator[IO[bytes], None, None]:
    """Open a file for writing that gets its name, ``path``, only when the block has succeeded.

    If the block raises, the partial file is removed and ``path`` stays as it was. Several tasks may write the
    same file at the same time: readers always find one complete version. Missing directories are made.
    """
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path} is a directory, so no file of that name can be written")
    make_parents(path)
    partial_path = os.path.join(os.path.dirname(path), f".parsl-{os.getpid()}-{os.urandom(6).hex()}.part")
    try:
        with open(partial_path, "xb") as stream:
            yield stream
        os.replace(partial_path, path)
    except BaseException:
        if os.path.exists(partial_path):
            os.unlink(partial_path)
        raise


def check_length(stream: IO[bytes], expected_bytes: int | None) -> None:
    """Raise OSError if a download is not as long as the server announced; None if that is unknown."""
    if expected_bytes is not None and stream.tell() != expected_bytes:
        raise OSError(f"the connection ended after {stream.tell()} of {expected_bytes} bytes")
