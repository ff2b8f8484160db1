"""Files on web servers."""

from __future__ import annotations

from functools import partial

from parsl.data_provider import transfers
from parsl.data_provider.errors import TransferError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urllib.request import Request

#: How long a server may stay silent before the transfer fails, in seconds.
SILENCE_S = 60.0


def http_download(url: str, local_path: str, silence_s: float = SILENCE_S) -> None:
    """Download a file; its URL may contain ``user:password@``.

    A partial file is never visible. Raises TransferError.
    """
    from http.client import HTTPException
    from shutil import copyfileobj
    from urllib.error import HTTPError, URLError
    from urllib.request import urlopen

    try:
        with urlopen(_request(url), timeout=silence_s) as response, transfers.whole_file(local_path) as out:
            copyfileobj(response, out)
            length = response.headers.get("Content-Length") or ""
            transfers.check_length(out, int(length) if length.isdigit() else None)
    except HTTPError as error:
        error.close()  # it is the response, too: while the error exists, the connection stays open
        reason = f"the server answered {error.code} ({error.reason})"
        raise TransferError(url, local_path, reason) from error
    except URLError as error:
        raise TransferError(url, local_path, f"the server cannot be reached: {error.reason}") from error
    except TimeoutError as error:
        raise TransferError(url, local_path, f"the server sent nothing for {silence_s:g} s") from error
    except (OSError, HTTPException, ValueError) as error:
        raise TransferError(url, local_path, f"{type(error).__name__}: {error}") from error


class HTTPSeparateTaskStaging(transfers.SeparateTaskDownload):
    """Downloads files of ``http`` and ``https`` URLs, each in a separate task.

    The environment configures proxies (``https_proxy``) and certificates (``SSL_CERT_FILE``).
    """

    schemes = ("http", "https")
    download = staticmethod(http_download)


class HTTPInTaskStaging(transfers.InTaskDownload):
    """Downloads files of ``http`` and ``https`` URLs in the tasks that need them."""

    schemes = ("http", "https")
    download = staticmethod(http_download)


#: Returns a function that downloads ``file`` to ``working_dir`` and then calls ``func``.
in_task_transfer_wrapper = partial(transfers.wrap_download, http_download)


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
