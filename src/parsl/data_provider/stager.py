"""Chooses the staging provider of each file."""

from __future__ import annotations

from parsl.data_provider.errors import CannotStage, without_password
from parsl.vocabulary.data_future import DataFuture

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from concurrent.futures import Future
    from typing import Any

    from parsl.data_provider.data_manager import DataManager
    from parsl.data_provider.staging import Func, Staging
    from parsl.vocabulary.files import File

#: The provider to configure for each scheme that the default providers do not support.
_OPTIONAL = {"globus": "parsl.data_provider.globus.GlobusStaging"}


class Stager:
    """Stages single files with the staging providers of each executor; any thread may call its methods."""

    def __init__(self, dm: DataManager) -> None:
        self._dm = dm

    def leaves_alone(self, file: File, executor: str) -> bool:
        """Return True if an input file certainly needs no staging; this check is fast."""
        return file.scheme == "file" and self._chosen(executor) is None

    def optionally_stage_in(self, input: File | DataFuture, func: Func, executor: str) -> tuple[Any, Func]:
        """Stage an argument in; return the argument and the function to use instead."""
        given, parent = (input.file_obj, input) if isinstance(input, DataFuture) else (input, None)
        provider = self._provider(given, executor, "stage_in")
        file = given.cleancopy()
        staged = provider.stage_in(self._dm, executor, file, parent_fut=parent)
        func = provider.replace_task(self._dm, executor, file, func) or func
        if staged is not None:
            return staged, func
        if file.local_path is None:
            return input, func
        return (file if parent is None else DataFuture(parent, file, parent.tid)), func

    def check_stage_out(self, files: Iterable[File], executor: str) -> None:
        """Raise CannotStage if no provider can stage one of the files out."""
        for file in files:
            self._provider(file, executor, "stage_out")

    def stage_out(
        self, file: File, func: Func, executor: str, app_fu: Future[Any], tid: int
    ) -> tuple[File, Func, DataFuture]:
        """Stage a file out that the task numbered ``tid`` will write.

        Returns the file for the task to write, the function to use instead, and the future of the file.
        """
        provider = self._provider(file, executor, "stage_out")
        written = file.cleancopy()
        staged = provider.stage_out(self._dm, executor, written, app_fu)
        func = provider.replace_task_stage_out(self._dm, executor, written, func) or func
        future = DataFuture(app_fu if staged is None else staged, file, tid)
        return (file if written.local_path is None else written), func, future

    def providers(self, executor: str) -> Sequence[Staging]:
        """Return the staging providers of an executor: its ``storage_access``, or the default ones."""
        chosen = self._chosen(executor)
        return default_providers() if chosen is None else chosen

    def _chosen(self, executor: str) -> Sequence[Staging] | None:
        return getattr(self._dm.dfk.executors[executor], "storage_access", None)

    def _provider(self, file: File, executor: str, direction: str) -> Staging:
        for provider in self.providers(executor):
            if getattr(provider, f"can_{direction}")(file):
                return provider
        able = ", ".join(_schemes(each) for each in self.providers(executor) if _supports(each, direction))
        verb = direction.replace("_", " ")
        raise CannotStage(
            f"Executor {executor!r} cannot {verb} file {without_password(file.url)!r}: "
            f"none of its staging providers supports the scheme {file.scheme!r}. "
            f"Schemes it can {verb}: {able or 'none'}. To support this scheme, add "
            f"{_OPTIONAL.get(file.scheme, 'a staging provider for it')} to the executor's storage_access"
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} with {self._dm!r}>"


_defaults: list[Staging] = []


def __getattr__(name: str) -> object:
    if name == "default_staging":
        return default_providers()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def default_providers() -> list[Staging]:
    """Return the one list of providers for files on disk, FTP and HTTP servers, and zip archives.

    Files on servers are transferred in separate tasks.
    """
    if not _defaults:
        from parsl.data_provider.file_noop import NoOpFileStaging
        from parsl.data_provider.ftp import FTPSeparateTaskStaging
        from parsl.data_provider.http import HTTPSeparateTaskStaging
        from parsl.data_provider.zip import ZipFileStaging

        kinds = (NoOpFileStaging, FTPSeparateTaskStaging, HTTPSeparateTaskStaging, ZipFileStaging)
        _defaults[:] = [kind() for kind in kinds]
    return _defaults


def _supports(provider: Staging, direction: str) -> bool:
    """Return whether a provider overrides the interface's method for a direction."""
    from parsl.data_provider.staging import Staging

    name = f"can_{direction}"
    return getattr(type(provider), name, None) is not getattr(Staging, name)


def _schemes(provider: Staging) -> str:
    return ", ".join(getattr(provider, "schemes", ())) or f"those of {type(provider).__name__}"
