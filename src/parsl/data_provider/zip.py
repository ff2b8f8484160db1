"""Files in zip archives: ``zip:/path/archive.zip/member``."""

from __future__ import annotations

import os

from parsl.common.representation import RepresentationMixin
from parsl.data_provider.errors import CannotStage, StagingError, TransferError
from parsl.data_provider.staged_call import StagedCall, make_parents
from parsl.data_provider.staging import Staging
from parsl.data_provider.zip_archive import add_member, extract_member

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from typing import Any

    from parsl.data_provider.data_manager import DataManager
    from parsl.vocabulary.data_future import DataFuture
    from parsl.vocabulary.files import File

__all__ = ["TransferError", "ZipAuthorityError", "ZipFileStaging", "zip_path_split"]


class ZipAuthorityError(StagingError):
    """A ``zip:`` URL names a host, which it cannot.

    Args:
        file: The file.
    """

    def __init__(self, file: File) -> None:
        super().__init__(file)
        self.file = file

    def __str__(self) -> str:
        return (
            f"ZipFileStaging cannot stage Files with an authority (netloc) section ({self.file.netloc}), "
            f"for {self.file.url}. With two slashes the first part of the path is taken for a host; "
            "write one, zip:/path/archive.zip/member"
        )


class ZipFileStaging(Staging, RepresentationMixin):
    """Takes files out of zip archives, and puts files into them, on a disk that driver and tasks share.

    The URL is ``zip:``, the path of the archive, which ends with ``.zip``, and the path in the archive. Any
    number of tasks may add to an archive at the same time.
    """

    schemes = ("zip",)

    def can_stage_in(self, file: File) -> bool:
        """``zip:`` URLs."""
        return self.is_zip_url(file)

    def can_stage_out(self, file: File) -> bool:
        """``zip:`` URLs."""
        return self.is_zip_url(file)

    def is_zip_url(self, file: File) -> bool:
        """Whether it is a ``zip:`` URL.

        Raises:
            ZipAuthorityError: It is one that names a host.
        """
        if file.scheme != "zip":
            return False
        if file.netloc:
            raise ZipAuthorityError(file)
        return True

    def stage_in(
        self, dm: DataManager, executor: str, file: File, parent_fut: Future[Any] | None
    ) -> DataFuture | None:
        """Submit a task that extracts the file."""
        archive, member = _checked_split(file)
        path = file.local_path = dm.local_path(file, executor, member)
        after = [] if parent_fut is None else [parent_fut]
        return dm.fetch_once(
            executor,
            file,
            lambda: dm.submit_transfer(extract_member, (archive, member, path), executor, after),
        )

    def stage_out(
        self, dm: DataManager, executor: str, file: File, parent_fut: Future[Any]
    ) -> Future[Any] | None:
        """Submit a task that adds the file to the archive once it is written."""
        archive, member = _checked_split(file)
        path = file.local_path = dm.local_path(file, executor, member)
        future: Future[Any] = dm.submit_transfer(add_member, (archive, member, path), executor, [parent_fut])
        return future

    def replace_task_stage_out(
        self, dm: DataManager, executor: str, file: File, func: Callable[..., Any]
    ) -> Callable[..., Any] | None:
        """Have the directory made that the task is to write to."""
        return StagedCall(func, before=[_parents_of(file)])


def zip_path_split(path: str) -> tuple[str, str]:
    """Split the path of a ``zip:`` URL: ``/a/b.zip/c/d`` is ``c/d`` in ``/a/b.zip``.

    Returns:
        The path of the archive and the path in it.

    Raises:
        ValueError: No part of the path but the last ends with ``.zip``.
    """
    archive, found, member = path.partition(".zip/")
    if not found:
        raise ValueError(
            f"{path!r} does not say which file of which archive; expected /path/archive.zip/member"
        )
    return archive + ".zip", member


def _checked_split(file: File) -> tuple[str, str]:
    try:
        archive, member = zip_path_split(file.path)
    except ValueError as error:
        raise CannotStage(f"{file.url}: {error}") from None
    if not member or os.path.isabs(member) or ".." in member.split("/"):
        raise CannotStage(f"{file.url}: {member!r} is not the name of a file in an archive")
    return archive, member


def _parents_of(file: File) -> Callable[[], None]:
    from functools import partial

    assert file.local_path is not None
    return partial(make_parents, file.local_path)
