"""Files on FTP servers."""

from __future__ import annotations

from parsl.data_provider.errors import TransferError
from parsl.data_provider.transfers import (
    InTaskDownload,
    SeparateTaskDownload,
    check_length,
    whole_file,
    wrap_download,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from ftplib import FTP
    from typing import Any
    from urllib.parse import SplitResult

    from parsl.vocabulary.files import File

#: How long a server may stay silent before the transfer fails, in seconds.
SILENCE_S = 60.0
_PORT = 21


def ftp_download(url: str, local_path: str, silence_s: float = SILENCE_S) -> None:
    """Download a file in passive mode, anonymously unless the URL contains ``user:password@``.

    Args:
        url: The URL of the file.
        local_path: Where to write the file. A partial file is never visible there.
        silence_s: How long the server may stay silent, in seconds.

    Raises:
        TransferError: The server cannot be reached, refuses the request or stops in the middle, or the
            file cannot be written.
    """
    from ftplib import FTP, Error
    from urllib.parse import unquote, urlsplit

    parts = urlsplit(url)
    try:
        with FTP() as ftp:
            _log_in(ftp, parts, silence_s)
            _retrieve(ftp, unquote(parts.path), local_path)
    except Error as error:
        raise TransferError(url, local_path, f"the server answered: {error}") from error
    except TimeoutError as error:
        raise TransferError(url, local_path, f"the server sent nothing for {silence_s:g} s") from error
    except ConnectionError as error:
        raise TransferError(url, local_path, f"the server cannot be reached: {error}") from error
    except (OSError, EOFError, ValueError) as error:
        raise TransferError(url, local_path, f"{type(error).__name__}: {error}") from error


class FTPSeparateTaskStaging(SeparateTaskDownload):
    """Downloads files of ``ftp`` URLs, each in a separate task."""

    schemes = ("ftp",)
    download = staticmethod(ftp_download)


class FTPInTaskStaging(InTaskDownload):
    """Downloads files of ``ftp`` URLs in the tasks that need them."""

    schemes = ("ftp",)
    download = staticmethod(ftp_download)


def in_task_transfer_wrapper(func: Callable[..., Any], file: File, working_dir: str | None) -> Any:
    """Return a function that downloads ``file`` to ``working_dir`` and then calls ``func``."""
    return wrap_download(ftp_download, func, file, working_dir)


def _log_in(ftp: FTP, parts: SplitResult, silence_s: float) -> None:
    from urllib.parse import unquote

    ftp.connect(parts.hostname or "", parts.port or _PORT, timeout=silence_s)
    ftp.login(unquote(parts.username or ""), unquote(parts.password or ""))


def _retrieve(ftp: FTP, path: str, local_path: str) -> None:
    ftp.voidcmd("TYPE I")
    expected_bytes = _size(ftp, path)
    with whole_file(local_path) as out:
        ftp.retrbinary(f"RETR {path}", out.write)
        check_length(out, expected_bytes)


def _size(ftp: FTP, path: str) -> int | None:
    from ftplib import error_perm

    try:
        return ftp.size(path)
    except error_perm:  # some servers lack the command; for a missing file, RETR reports the error
        return None
