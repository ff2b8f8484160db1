"""Servers on this machine, and kernels whose tasks have a separate working directory."""

from __future__ import annotations

import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from parsl.config import Config
from parsl.dataflow.dflow import DataFlowKernel
from parsl.executors import HighThroughputExecutor, ThreadPoolExecutor
from parsl.providers import LocalProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class WebServer(ThreadingHTTPServer):
    """Serves a directory, and records the requests.

    Paths that begin with ``/held`` are answered when ``release`` is set; ``/cut`` ends in the middle;
    ``/flaky`` fails ``failures`` times; ``/login`` asks for user and password.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(("127.0.0.1", 0), functools.partial(_Handler, directory=str(directory)))
        self.directory = directory
        self.requests: list[str] = []
        self.release = threading.Event()
        self.failures = 1

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that have disconnected."""

    def url(self, path: str, login: str = "") -> str:
        return f"http://{login}127.0.0.1:{self.server_port}/{path}"


class _Handler(SimpleHTTPRequestHandler):
    server: WebServer

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        if self.path.startswith("/held"):
            self.server.release.wait(60)
        if self.path == "/cut":
            self._cut()
        elif self.path == "/flaky" and self.server.failures > 0:
            self.server.failures -= 1
            self.send_error(503)
        elif self.path == "/login" and self.headers.get("Authorization") != "Basic bWU6cCBxCg==":
            self.send_error(401)
        else:
            super().do_GET()

    def _cut(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"only this")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def web(tmp_path: Path) -> Iterator[WebServer]:
    directory = tmp_path / "web"
    directory.mkdir()
    with WebServer(directory) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.release.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def closed_port() -> int:
    """A port without a listener."""
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture
def working_dir(tmp_path: Path) -> Path:
    return tmp_path / "work"


@pytest.fixture
def threads(tmp_path: Path, working_dir: Path) -> Iterator[Callable[..., DataFlowKernel]]:
    """Make a kernel of threads: ``threads(storage_access=..., retries=...)``."""
    kernels: list[DataFlowKernel] = []

    def make(storage_access: Any = None, **options: Any) -> DataFlowKernel:
        executor = ThreadPoolExecutor(
            label="threads", max_threads=4, storage_access=storage_access, working_dir=str(working_dir)
        )
        config = Config(executors=[executor], run_dir=str(tmp_path / "runs"), strategy="none", **options)
        kernels.append(DataFlowKernel(config))
        return kernels[-1]

    yield make
    for kernel in kernels:
        kernel.cleanup()


@pytest.fixture
def htex(tmp_path: Path, working_dir: Path) -> Iterator[Callable[..., DataFlowKernel]]:
    """Make a kernel of worker processes: ``htex(storage_access=...)``."""
    kernels: list[DataFlowKernel] = []

    def make(storage_access: Any = None, **options: Any) -> DataFlowKernel:
        executor = HighThroughputExecutor(
            label="htex", max_workers_per_node=2, cores_per_worker=0.1, provider=LocalProvider(),
            storage_access=storage_access, working_dir=str(working_dir),
        )  # fmt: skip
        config = Config(executors=[executor], run_dir=str(tmp_path / "runs"), strategy="none", **options)
        kernels.append(DataFlowKernel(config))
        return kernels[-1]

    yield make
    for kernel in kernels:
        kernel.cleanup()
