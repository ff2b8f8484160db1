"""Files on FTP servers."""

from __future__ import annotations

from functools import partial

from parsl.data_provider import transfers
from parsl.data_provider.errors import TransferError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ftplib import FTP

#: How long a server may stay silent before the transfer fails, in seconds.
SILENCE_S = 60.0


def ftp_download(url: str, local_path: str, silence_s: float = SILENCE_S) -> None:
    """Download a file in passive mode, anonymously unless the URL contains ``user:password@``.

    A partial file is never visible. Raises TransferError.
    """
    from ftplib import FTP, FTP_PORT, Error
    from urllib.parse import unquote, urlsplit

    parts = urlsplit(url)
    try:
        with FTP() as ftp:
            ftp.connect(parts.hostname or "", parts.port or FTP_PORT, timeout=silence_s)
            ftp.login(unquote(parts.username or ""), unquote(parts.password or ""))
            _retrieve(ftp, unquote(parts.path), local_path)
    except Error as error:
        raise TransferError(url, local_path, f"the server answered: {error}") from error
    except TimeoutError as error:
        raise TransferError(url, local_path, f"the server sent nothing for {silence_s:g} s") from error
    except ConnectionError as error:
        raise TransferError(url, local_path, f"the server cannot be reached: {error}") from error
    except (OSError, EOFError, ValueError) as error:
        raise TransferError(url, local_path, f"{type(error).__name__}: {error}") from error


class FTPSeparateTaskStaging(transfers.SeparateTaskDownload):
    """Downloads files of ``ftp`` URLs, each in a separate task."""

    schemes = ("ftp",)
    download = staticmethod(ftp_download)


class FTPInTaskStaging(transfers.InTaskDownload):
    """Downloads files of ``ftp`` URLs in the tasks that need them."""

    schemes = ("ftp",)
    download = staticmethod(ftp_download)


#: Returns a function that downloads ``file`` to ``working_dir`` and then calls ``func``.
in_task_transfer_wrapper = partial(transfers.wrap_download, ftp_download)


def _retrieve(ftp: FTP, path: str, local_path: str) -> None:
    from ftplib import error_perm

    ftp.voidcmd("TYPE I")
    try:
        expected_bytes = ftp.size(path)
    except error_perm:  # some servers lack the command; for a missing file, RETR reports the error
        expected_bytes = None
    with transfers.whole_file(local_path) as out:
        ftp.retrbinary(f"RETR {path}", out.write)
        transfers.check_length(out, expected_bytes)
