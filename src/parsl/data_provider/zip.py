"""Files in zip archives: ``zip:/path/archive.zip/member``."""

from __future__ import annotations

import os
from contextlib import contextmanager

from parsl.data_provider.errors import CannotStage, StagingError, TransferError
from parsl.data_provider.transfers import LocalFileStaging, make_parents, whole_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from concurrent.futures import Future
    from typing import IO, Any

    from parsl.data_provider.data_manager import DataManager
    from parsl.vocabulary.data_future import DataFuture
    from parsl.vocabulary.files import File

__all__ = ["TransferError", "ZipAuthorityError", "ZipFileStaging", "zip_path_split"]


class ZipAuthorityError(StagingError):
    """A ``zip:`` URL names a host.

    Args:
        file: The file.
    """

    def __init__(self, file: File) -> None:
        super().__init__(file)
        self.file = file

    def __str__(self) -> str:
        return (
            f"ZipFileStaging cannot stage Files with an authority (netloc) section ({self.file.netloc}), "
            f"for {self.file.url}. After two slashes, the first part of the path is read as a host; "
            "write one slash, as in zip:/path/archive.zip/member"
        )


class ZipFileStaging(LocalFileStaging):
    """Extracts files from zip archives and adds files to them, on a disk that driver and tasks share.

    The URL consists of ``zip:``, the path of the archive, which ends with ``.zip``, and the path within the
    archive. Several tasks may add to an archive at the same time.
    """

    schemes = ("zip",)

    def can_stage_in(self, file: File) -> bool:
        """Return whether the file has a ``zip:`` URL."""
        return self.is_zip_url(file)

    def is_zip_url(self, file: File) -> bool:
        """Return whether the file has a ``zip:`` URL.

        Raises:
            ZipAuthorityError: The URL names a host.
        """
        if file.scheme != "zip":
            return False
        if file.netloc:
            raise ZipAuthorityError(file)
        return True

    def stage_in(
        self, dm: DataManager, executor: str, file: File, parent_fut: Future[Any] | None
    ) -> DataFuture:
        """Submit a task that extracts the file."""
        archive, member = _checked_split(file)
        path = file.local_path = dm.local_path(file, executor, member)
        return dm.fetch_once(executor, file, extract_member, (archive, member, path), parent_fut)

    def stage_out(self, dm: DataManager, executor: str, file: File, parent_fut: Future[Any]) -> Future[Any]:
        """Submit a task that adds the file to the archive after the task has written the file."""
        archive, member = _checked_split(file)
        path = file.local_path = dm.local_path(file, executor, member)
        future: Future[Any] = dm.submit_transfer(add_member, (archive, member, path), executor, [parent_fut])
        return future


def zip_path_split(path: str) -> tuple[str, str]:
    """Split the path of a ``zip:`` URL: ``/a/b.zip/c/d`` is ``c/d`` in ``/a/b.zip``.

    Returns:
        The path of the archive and the path within it.

    Raises:
        ValueError: No part of the path except the last ends with ``.zip``.
    """
    archive, found, member = path.partition(".zip/")
    if not found:
        raise ValueError(f"{path!r} does not name a file in an archive; expected /path/archive.zip/member")
    return archive + ".zip", member


def extract_member(archive: str, member: str, local_path: str) -> None:
    """Copy a member of an archive to a file; raises TransferError."""
    from shutil import copyfileobj
    from zipfile import BadZipFile, ZipFile

    source = f"{member!r} in {archive}"
    try:
        with (
            _locked(archive, "rb") as stream,
            ZipFile(stream) as opened,
            opened.open(member) as content,
            whole_file(local_path) as out,
        ):
            copyfileobj(content, out)
    except KeyError as error:
        raise TransferError(source, local_path, "the archive has no such member") from error
    except FileNotFoundError as error:
        raise TransferError(source, local_path, f"there is no {error.filename}") from error
    except (OSError, BadZipFile, RuntimeError) as error:
        raise TransferError(source, local_path, f"{type(error).__name__}: {error}") from error


def add_member(archive: str, member: str, local_path: str) -> None:
    """Add a file to an archive, or replace the member of that name; make the archive if it is missing.

    If this fails, the archive stays as it was, and TransferError is raised.
    """
    from zipfile import BadZipFile

    destination = f"{member!r} in {archive}"
    try:
        make_parents(archive)
        with _locked(archive, "a+b") as stream:
            _append(stream, member, local_path)
    except FileNotFoundError as error:
        raise TransferError(local_path, destination, f"the task has not written {error.filename}") from error
    except (OSError, BadZipFile) as error:
        raise TransferError(local_path, destination, f"{type(error).__name__}: {error}") from error


def _checked_split(file: File) -> tuple[str, str]:
    try:
        archive, member = zip_path_split(file.path)
    except ValueError as error:
        raise CannotStage(f"{file.url}: {error}") from None
    if not member or os.path.isabs(member) or ".." in member.split("/"):
        raise CannotStage(f"{file.url}: {member!r} is not the name of a file in an archive")
    return archive, member


def _append(stream: IO[bytes], member: str, local_path: str) -> None:
    import warnings
    from zipfile import ZIP_DEFLATED, ZipFile

    size_bytes = os.fstat(stream.fileno()).st_size
    start, directory = 0, b""
    if size_bytes:
        # The new member overwrites the directory at the archive's end: keep it to restore it after a failure.
        with ZipFile(stream) as opened:
            start = opened.start_dir
        stream.seek(start)
        directory = stream.read()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a second member of that name hides the first
            with ZipFile(stream, "a" if size_bytes else "w", ZIP_DEFLATED) as opened:
                opened.write(local_path, member)
    except BaseException:
        stream.seek(start)
        stream.truncate()
        stream.write(directory)
        raise


@contextmanager
def _locked(archive: str, mode: str) -> Generator[IO[bytes], None, None]:
    """Open an archive: with a shared lock for reading, with an exclusive lock for extending it."""
    import fcntl

    is_writing = mode != "rb"
    descriptor = os.open(archive, (os.O_RDWR | os.O_CREAT) if is_writing else os.O_RDONLY, 0o666)
    with open(descriptor, "r+b" if is_writing else "rb") as stream:
        fcntl.flock(descriptor, fcntl.LOCK_EX if is_writing else fcntl.LOCK_SH)  # released on closing
        yield stream
