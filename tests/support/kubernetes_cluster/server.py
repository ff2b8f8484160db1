"""The HTTP side of the stand-in: routes, credentials, pages, and requests that are refused on purpose."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from tests.support.kubernetes_cluster.objects import Json, Refusal

TOKEN = "token-of-the-stand-in"
_PATH = re.compile(
    r"/(?:api/v1|apis/[\w.-]+/v1)(?:/namespaces/(?P<namespace>[^/]+))?"
    r"/(?P<resource>[a-z]+)(?:/(?P<name>[^/]+))?(?:/(?P<subresource>[a-z]+))?"
)
_VERBS = {"POST": "create", "DELETE": "delete", "PATCH": "patch", "PUT": "update"}


class Request(NamedTuple):
    """One request."""

    verb: str
    namespace: str
    resource: str
    name: str
    subresource: str
    query: dict[str, str]
    body: Json

    @property
    def kind(self) -> str:
        """The resource with its subresource: ``pods/log``."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


class Server:
    """Serves requests on the loopback address, each in a thread.

    Args:
        answer: Returns the answer to a request: an object, or text for a log; or raises Refusal.
    """

    def __init__(self, answer: Callable[[Request], Json | str]) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(answer))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(answer: Callable[[Request], Json | str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

        def _serve(self) -> None:
            try:
                found = answer(self._request())
            except Refusal as refusal:
                self._reply(refusal.code, refusal.body, refusal.headers)
            else:
                self._reply(200, found, {})

        def _request(self) -> Request:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                raise Refusal(401, "Unauthorized", "Unauthorized")
            url = urlsplit(self.path)
            match = _PATH.fullmatch(url.path)
            if match is None:
                raise Refusal(404, "NotFound", "the server could not find the requested resource")
            query = {name: values[-1] for name, values in parse_qs(url.query).items()}
            verb = _VERBS.get(self.command) or ("get" if match["name"] else "list")
            parts = (match[name] or "" for name in ("namespace", "resource", "name", "subresource"))
            return Request(verb, *parts, query, body)

        def _reply(self, code: int, found: Json | str, headers: dict[str, str]) -> None:
            data = (found if isinstance(found, str) else json.dumps(found)).encode()
            kind = "text/plain" if isinstance(found, str) else "application/json"
            self.send_response(code)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = do_PATCH = do_PUT = _serve

    return Handler
