"""The HTTP side of the stand-in for Google's services: routes, tokens, permissions and injected faults.

Tokens are issued as Google's token service does: for an assertion that is signed by a service account whose
public key is known here. So the real client library reads a real key file, signs, and refreshes.
"""

from __future__ import annotations

import functools
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt

Json = dict[str, Any]
#: Gets the values of the path's placeholders, the query and the body.
Answer = Callable[[dict[str, str], dict[str, str], Json], Json]

TOKEN = "token-of-the-stand-in"
ACCOUNT = "parsl@my-project.iam.gserviceaccount.com"


class Problem(Exception):
    """An error answer in the form that Google's services have."""

    def __init__(
        self, code: int, reason: str, message: str, *, domain: str = "global", **headers: str
    ) -> None:
        super().__init__(message)
        self.code = code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        details = [{"message": message, "domain": domain, "reason": reason}]
        self.body = {"error": {"code": code, "message": message, "errors": details}}


def rate_limit(**headers: str) -> Problem:
    """Return the answer to too many requests per minute."""
    message = (
        "Quota exceeded for quota metric 'Read requests' and limit 'Read requests per minute' of service "
        "'compute.googleapis.com' for consumer 'project_number:123456789'."
    )
    return Problem(403, "rateLimitExceeded", message, domain="usageLimits", **headers)


def server_error(code: int = 503) -> Problem:
    """Return the answer of a service that has a problem of its own for a moment."""
    return Problem(code, "backendError", "The service is currently unavailable.")


@dataclass
class Fault:
    """An error for the next requests whose method and path match."""

    problem: Problem
    pattern: str = ""
    remaining: int = 1


@dataclass
class Router:
    """Routes, by method and a path with placeholders such as ``{zone}``."""

    routes: list[tuple[str, re.Pattern[str], Answer]] = field(default_factory=list)

    def add(self, method: str, path: str, answer: Answer) -> None:
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/:]+)", re.escape(path))
        self.routes.append((method, re.compile(pattern), answer))

    def find(self, method: str, path: str) -> tuple[Answer, dict[str, str]]:
        for known, pattern, answer in self.routes:
            if known == method and (match := pattern.fullmatch(path)):
                return answer, match.groupdict()
        raise Problem(404, "notFound", f"The stand-in has no {method} {path}")


class GoogleServer:
    """Serves a router on a free port of the loopback; every method may be called from any thread."""

    def __init__(self, router: Router, lock: threading.RLock) -> None:
        self._router = router
        self._lock = lock
        self._faults: list[Fault] = []
        self._lost_answers: list[str] = []
        self._regular: tuple[int, Problem] | None = None
        #: Method and path of each request, and whether it was answered without an error.
        self.requests: list[tuple[str, str, bool]] = []
        handler = type("Handler", (_Handler,), {"google": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def fail(self, problem: Problem, pattern: str = "", times: int = 1) -> None:
        """Answer the next requests that match a regular expression, such as ``"POST .*/instances"``."""
        with self._lock:
            self._faults.append(Fault(problem, pattern, times))

    def fail_every(self, number: int, problem: Problem) -> None:
        """Answer one of so many requests with an error; 0 to stop that."""
        with self._lock:
            self._regular = (number, problem) if number else None

    def lose_answer(self, pattern: str) -> None:
        """Do what the next request that matches requests, and close the connection without an answer."""
        with self._lock:
            self._lost_answers.append(pattern)

    def loses_answer(self, request: str) -> bool:
        """Return whether the answer to a request is to be lost; each time is for one request."""
        with self._lock:
            for pattern in self._lost_answers:
                if re.search(pattern, request):
                    self._lost_answers.remove(pattern)
                    return True
        return False

    def write_key_file(self, path: Path, *, is_known: bool = True) -> str:
        """Write a service account's key, which the token service knows or not; return its path."""
        text = (
            _private_key(is_known)
            .private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            .decode()
        )
        content = {
            "type": "service_account",
            "project_id": "my-project",
            "private_key_id": "1",
            "private_key": text,
            "client_email": ACCOUNT,
            "client_id": "1",
            "token_uri": f"{self.address}/token",
        }
        path.write_text(json.dumps(content))
        path.chmod(0o600)
        return str(path)

    def answer(self, method: str, target: str, headers: Any, raw: bytes) -> Json:
        """Return the answer to a request, or raise Problem."""
        url = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        if url.path == "/token":
            return self._issue_token(parse_qs(raw.decode()))
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            raise Problem(401, "authError", "Request had invalid authentication credentials.")
        with self._lock:
            self._apply_faults(f"{method} {url.path}")
            answer, values = self._router.find(method, unquote(url.path))
            return answer(values, query, json.loads(raw) if raw else {})

    def _issue_token(self, form: dict[str, list[str]]) -> Json:
        public = (
            _private_key(True)
            .public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
        try:
            jwt.decode(form["assertion"][0], certs=public, clock_skew_in_seconds=600)
        except ValueError as error:
            refusal = Problem(400, "", "")
            refusal.body = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
            raise refusal from error
        return {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}

    def _apply_faults(self, request: str) -> None:
        if self._regular is not None and len(self.requests) % self._regular[0] == 0:
            raise self._regular[1]
        for fault in self._faults:
            if fault.remaining and re.search(fault.pattern, request):
                fault.remaining -= 1
                raise fault.problem


@functools.cache
def _private_key(is_known: bool) -> rsa.RSAPrivateKey:
    """Return the key of the account, or another one; one each per process, because they take time."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class _Handler(BaseHTTPRequestHandler):
    google: GoogleServer
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        code, headers = 200, {}
        try:
            content = self.google.answer(self.command, self.path, self.headers, raw)
        except Problem as problem:
            code, headers, content = problem.code, problem.headers, problem.body
        self.google.requests.append((self.command, urlsplit(self.path).path, code == 200))
        if self.google.loses_answer(f"{self.command} {urlsplit(self.path).path}"):
            self.close_connection = True
            return
        body = json.dumps(content).encode()
        self.send_response(code)
        for name, value in {**headers, "Content-Type": "application/json"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = _serve

    def log_message(self, *args: Any) -> None:
        pass
