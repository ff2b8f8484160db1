"""Reading and extending a zip archive that others read and extend at the same time."""

from __future__ import annotations

import os
from contextlib import contextmanager

from parsl.data_provider.errors import TransferError
from parsl.data_provider.staged_call import make_parents
from parsl.data_provider.whole_file import whole_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import IO

_PIECE_BYTES = 1 << 20


def extract_member(archive: str, member: str, local_path: str) -> None:
    """Copy a member of an archive to a file.

    Raises:
        TransferError: There is no such archive or member, or the file cannot be written.
    """
    from zipfile import BadZipFile, ZipFile

    source = f"{member!r} in {archive}"
    try:
        with (
            _locked(archive, "rb") as stream,
            ZipFile(stream) as opened,
            opened.open(member) as content,
            whole_file(local_path) as out,
        ):
            _copy(content, out)
    except KeyError as error:
        raise TransferError(source, local_path, "the archive has no such member") from error
    except FileNotFoundError as error:
        raise TransferError(source, local_path, f"there is no {error.filename}") from error
    except (OSError, BadZipFile, RuntimeError) as error:
        raise TransferError(source, local_path, f"{type(error).__name__}: {error}") from error


def add_member(archive: str, member: str, local_path: str) -> None:
    """Add a file to an archive, which is made if there is none. One of the same name is replaced.

    If that fails the archive is as it was.

    Raises:
        TransferError: There is no such file, or the archive cannot be written.
    """
    from zipfile import BadZipFile

    destination = f"{member!r} in {archive}"
    try:
        make_parents(archive)
        with _locked(archive, "a+b") as stream:
            _append(stream, member, local_path)
    except FileNotFoundError as error:
        reason = f"the task has not written {error.filename}"
        raise TransferError(local_path, destination, reason) from error
    except (OSError, BadZipFile) as error:
        raise TransferError(local_path, destination, f"{type(error).__name__}: {error}") from error


def _append(stream: IO[bytes], member: str, local_path: str) -> None:
    import warnings
    from zipfile import ZIP_DEFLATED, ZipFile

    size_bytes = os.fstat(stream.fileno()).st_size
    # The new member is written over the directory at the archive's end, which is kept to be put back.
    start, directory = _directory(stream) if size_bytes else (0, b"")
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


def _directory(stream: IO[bytes]) -> tuple[int, bytes]:
    """Return where the directory of an archive begins, and the bytes from there on."""
    from zipfile import ZipFile

    with ZipFile(stream) as opened:
        start = opened.start_dir
    stream.seek(start)
    return start, stream.read()


@contextmanager
def _locked(archive: str, mode: str) -> Generator[IO[bytes], None, None]:
    """Open an archive for reading, shared with other readers, or for extending it, alone."""
    import fcntl

    is_writing = mode != "rb"
    descriptor = os.open(archive, (os.O_RDWR | os.O_CREAT) if is_writing else os.O_RDONLY, 0o666)
    with open(descriptor, "r+b" if is_writing else "rb") as stream:
        fcntl.flock(descriptor, fcntl.LOCK_EX if is_writing else fcntl.LOCK_SH)  # released on closing
        yield stream


def _copy(source: IO[bytes], out: IO[bytes]) -> None:
    while piece := source.read(_PIECE_BYTES):
        out.write(piece)
