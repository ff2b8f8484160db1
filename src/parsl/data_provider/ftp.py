"""Files on FTP servers."""

from __future__ import annotations

from parsl.data_provider.errors import TransferError
from parsl.data_provider.separate_task import InTaskDownload, SeparateTaskDownload, wrap_download
from parsl.data_provider.whole_file import whole_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from ftplib import FTP
    from typing import Any
    from urllib.parse import SplitResult

    from parsl.data_provider.separate_task import Download
    from parsl.vocabulary.files import File

#: A server that says nothing for so long is given up.
SILENCE_S = 60.0
_PORT = 21


class FTPSeparateTaskStaging(SeparateTaskDownload):
    """Downloads files of ``ftp`` URLs, each in a task of its own."""

    schemes = ("ftp",)

    @property
    def download(self) -> Download:
        """The function that does it."""
        return ftp_download


class FTPInTaskStaging(InTaskDownload):
    """Downloads files of ``ftp`` URLs in the task that needs them."""

    schemes = ("ftp",)

    @property
    def download(self) -> Download:
        """The function that does it."""
        return ftp_download


def in_task_transfer_wrapper(func: Callable[..., Any], file: File, working_dir: str | None) -> Any:
    """Return a function that downloads ``file`` to ``working_dir`` and then calls ``func``."""
    return wrap_download(ftp_download, func, file, working_dir)


def ftp_download(url: str, local_path: str, silence_s: float = SILENCE_S) -> None:
    """Download a file, in passive mode; anonymously unless the URL contains ``user:password@``.

    Args:
        url: Its URL.
        local_path: Where to; it is there as a whole or not at all.
        silence_s: How long the server may say nothing, in seconds.

    Raises:
        TransferError: The server cannot be reached, refuses, or stops in the middle; or the file cannot
            be written.
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
        raise TransferError(url, local_path, f"the server said nothing for {silence_s:g} s") from error
    except ConnectionError as error:
        raise TransferError(url, local_path, f"the server cannot be reached: {error}") from error
    except (OSError, EOFError, ValueError) as error:
        raise TransferError(url, local_path, f"{type(error).__name__}: {error}") from error


def _log_in(ftp: FTP, parts: SplitResult, silence_s: float) -> None:
    from urllib.parse import unquote

    ftp.connect(parts.hostname or "", parts.port or _PORT, timeout=silence_s)
    ftp.login(unquote(parts.username or ""), unquote(parts.password or ""))


def _retrieve(ftp: FTP, path: str, local_path: str) -> None:
    ftp.voidcmd("TYPE I")
    announced_bytes = _size(ftp, path)
    with whole_file(local_path) as out:
        ftp.retrbinary(f"RETR {path}", out.write)
        if announced_bytes is not None and out.tell() != announced_bytes:
            raise OSError(f"the connection ended after {out.tell()} of {announced_bytes} bytes")


def _size(ftp: FTP, path: str) -> int | None:
    from ftplib import error_perm

    try:
        return ftp.size(path)
    except error_perm:  # not every server has the command; if the file is missing, RETR says so
        return None
