"""Files on web servers."""

from __future__ import annotations

from parsl.data_provider.errors import TransferError
from parsl.data_provider.separate_task import InTaskDownload, SeparateTaskDownload, wrap_download
from parsl.data_provider.whole_file import whole_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import Message
    from typing import IO, Any
    from urllib.request import Request

    from parsl.data_provider.separate_task import Download
    from parsl.vocabulary.files import File

#: A server that says nothing for so long is given up.
SILENCE_S = 60.0
_PIECE_BYTES = 1 << 20


class HTTPSeparateTaskStaging(SeparateTaskDownload):
    """Downloads files of ``http`` and ``https`` URLs, each in a task of its own.

    Proxies are taken from the environment (``https_proxy``), as are certificates (``SSL_CERT_FILE``).
    """

    schemes = ("http", "https")

    @property
    def download(self) -> Download:
        """The function that does it."""
        return http_download


class HTTPInTaskStaging(InTaskDownload):
    """Downloads files of ``http`` and ``https`` URLs in the task that needs them."""

    schemes = ("http", "https")

    @property
    def download(self) -> Download:
        """The function that does it."""
        return http_download


def in_task_transfer_wrapper(func: Callable[..., Any], file: File, working_dir: str | None) -> Any:
    """Return a function that downloads ``file`` to ``working_dir`` and then calls ``func``."""
    return wrap_download(http_download, func, file, working_dir)


def http_download(url: str, local_path: str, silence_s: float = SILENCE_S) -> None:
    """Download a file.

    Args:
        url: Its URL; may contain ``user:password@``.
        local_path: Where to; it is there as a whole or not at all.
        silence_s: How long the server may say nothing, in seconds.

    Raises:
        TransferError: The server cannot be reached, refuses, or stops in the middle; or the file cannot
            be written.
    """
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import urlopen

    try:
        with urlopen(_request(url), timeout=silence_s) as response, whole_file(local_path) as out:
            _copy(response, out, _announced(response.headers))
    except HTTPError as error:
        reason = f"the server answered {error.code} ({error.reason})"
        raise TransferError(url, local_path, reason) from error
    except URLError as error:
        raise TransferError(url, local_path, f"the server cannot be reached: {error.reason}") from error
    except TimeoutError as error:
        raise TransferError(url, local_path, f"the server said nothing for {silence_s:g} s") from error
    except (OSError, HTTPException, ValueError) as error:
        raise TransferError(url, local_path, f"{type(error).__name__}: {error}") from error


def _request(url: str) -> Request:
    from urllib.parse import unquote, urlsplit
    from urllib.request import Request

    parts = urlsplit(url)
    headers = {"User-Agent": "parsl", "Accept-Encoding": "identity"}
    if parts.username is not None:
        from base64 import b64encode

        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + b64encode(login.encode()).decode()
        url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return Request(url, headers=headers)


def _announced(headers: Message) -> int | None:
    length = headers.get("Content-Length")
    return int(length) if length is not None and length.isdigit() else None


def _copy(response: IO[bytes], out: IO[bytes], announced_bytes: int | None) -> None:
    copied_bytes = 0
    while piece := response.read(_PIECE_BYTES):
        out.write(piece)
        copied_bytes += len(piece)
    if announced_bytes is not None and copied_bytes != announced_bytes:
        raise OSError(f"the connection ended after {copied_bytes} of {announced_bytes} bytes")
