"""Who may see the pages: holders of the token; and what browsers may load: nothing from elsewhere."""

from __future__ import annotations

import hmac
from hashlib import sha256
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PARAMETER = "token"
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_REFUSAL = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Token missing</title>
<link rel="stylesheet" href="/static/dashboard.css">
<main class="notice"><h1>The token is missing</h1>
<p>Other users of this machine can reach this port, so the page needs the token.
Open the whole address that <code>parsl dashboard</code> has printed, with <code>?token=...</code>.</p></main>
"""


class Access:
    """Middleware that refuses requests without the token, and adds headers about what browsers may do.

    The first request has the token in its address. It is redirected to the address without it, with a cookie,
    so that the token stays out of the history of the browser and of copied addresses.

    Args:
        app: The application.
        token: The token; empty if none is needed.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token
        # Browsers share cookies between all ports of a host: each dashboard has a cookie of its own.
        self._cookie = f"parsl-dashboard-{sha256(token.encode()).hexdigest()[:12]}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        answer = self._answer(HTTPConnection(scope))
        await (answer or self._app)(scope, receive, send_with_headers)

    def _answer(self, request: HTTPConnection) -> Response | None:
        """Return the response to a request that is not passed on."""
        if not self._token or request.url.path.startswith("/static/"):
            return None
        given = request.query_params.get(_PARAMETER)
        if given is not None and self._is_token(given):
            rest = [pair for pair in parse_qsl(request.url.query) if pair[0] != _PARAMETER]
            target = "/" + request.url.path.lstrip("/") + (f"?{urlencode(rest)}" if rest else "")
            response = RedirectResponse(target, status_code=303)
            response.set_cookie(self._cookie, self._token, httponly=True, samesite="strict", path="/")
            return response
        if self._is_token(request.cookies.get(self._cookie, "")):
            return None
        return HTMLResponse(_REFUSAL, status_code=403)

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(), self._token.encode())
