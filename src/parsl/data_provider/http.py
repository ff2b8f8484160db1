"""Files on web servers."""

from __future__ import annotations

from parsl.data_provider.errors import TransferError
from parsl.data_provider.transfers import (
    InTaskDownload,
    SeparateTaskDownload,
    check_length,
    copy_stream,
    whole_file,
    wrap_download,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import Message
    from typing import Any
    from urllib.request import Request

    from parsl.vocabulary.files import File

#: How long a server may stay silent before the transfer fails, in seconds.
SILENCE_S = 60.0


def http_download(url: str, local_path: str, silence_s: float = SILENCE_S) -> None:
    """Download a file.

    Args:
        url: The URL of the file, which may contain ``user:password@``.
        local_path: Where to write the file. A partial file is never visible there.
        silence_s: How long the server may stay silent, in seconds.

    Raises:
        TransferError: The server cannot be reached, refuses the request or stops in the middle, or the
            file cannot be written.
    """
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import urlopen

    try:
        with urlopen(_request(url), timeout=silence_s) as response, whole_file(local_path) as out:
            copy_stream(response, out)
            check_length(out, _content_length(response.headers))
    except HTTPError as error:
        reason = f"the server answered {error.code} ({error.reason})"
        raise TransferError(url, local_path, reason) from error
    except URLError as error:
        raise TransferError(url, local_path, f"the server cannot be reached: {error.reason}") from error
    except TimeoutError as error:
        raise TransferError(url, local_path, f"the server sent nothing for {silence_s:g} s") from error
    except (OSError, HTTPException, ValueError) as error:
        raise TransferError(url, local_path, f"{type(error).__name__}: {error}") from error


class HTTPSeparateTaskStaging(SeparateTaskDownload):
    """Downloads files of ``http`` and ``https`` URLs, each in a separate task.

    The environment configures proxies (``https_proxy``) and certificates (``SSL_CERT_FILE``).
    """

    schemes = ("http", "https")
    download = staticmethod(http_download)


class HTTPInTaskStaging(InTaskDownload):
    """Downloads files of ``http`` and ``https`` URLs in the tasks that need them."""

    schemes = ("http", "https")
    download = staticmethod(http_download)


def in_task_transfer_wrapper(func: Callable[..., Any], file: File, working_dir: str | None) -> Any:
    """Return a function that downloads ``file`` to ``working_dir`` and then calls ``func``."""
    return wrap_download(http_download, func, file, working_dir)


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


def _content_length(headers: Message) -> int | None:
    length = headers.get("Content-Length")
    return int(length) if length is not None and length.isdigit() else None
