"""Detecting the end of processes by connections to them, with servers of this module."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from parsl.executors.ray import watch as watch_module
from parsl.executors.ray.watch import Peer, Watch, connect


class Server:
    """Accepts connections until it ends."""

    def __init__(self, address: Any) -> None:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.listener = socket.socket(family)
        self.listener.bind(address)
        self.listener.listen()
        self.peer = Peer("the server", self.listener.getsockname())

    def accept(self) -> socket.socket:
        return self.listener.accept()[0]

    def end(self, *connections: socket.socket) -> None:
        self.listener.close()
        for connection in connections:
            connection.close()


@pytest.fixture(params=["tcp", "unix"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    server = Server(str(tmp_path / "s") if request.param == "unix" else ("127.0.0.1", 0))
    yield server
    server.listener.close()


@pytest.fixture
def lost() -> Queue[Peer]:
    return Queue()


def test_the_end_of_a_process_is_reported_once(server: Server, lost: Queue[Peer]) -> None:
    watch = Watch([server.peer], lost.put)
    watch.start()
    server.end(server.accept())
    assert lost.get(timeout=60) == server.peer
    watch.close()
    assert lost.empty()


def test_a_process_that_has_ended_before_is_reported(server: Server, lost: Queue[Peer]) -> None:
    server.end()
    watch = Watch([server.peer], lost.put)
    watch.start()
    assert lost.get(timeout=60) == server.peer
    watch.close()


def test_a_closed_connection_alone_is_no_loss(
    server: Server, lost: Queue[Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "RECONNECT_INTERVAL_S", 0)
    watch = Watch([server.peer], lost.put)
    watch.start()
    first = server.accept()
    first.sendall(b"greetings")
    first.close()
    server.accept().close()
    last = server.accept()  # the watch has connected again, twice
    assert lost.empty()
    server.end(last)
    assert lost.get(timeout=60) == server.peer
    watch.close()


def test_a_watch_that_is_closed_reports_nothing(server: Server, lost: Queue[Peer]) -> None:
    watch = Watch([server.peer], lost.put)
    watch.start()
    connection = server.accept()
    watch.close()
    server.end(connection)
    assert lost.empty()


def test_a_connection_that_is_refused_is_an_error(server: Server) -> None:
    server.end()
    with pytest.raises(OSError, match=r"."):
        connect(server.peer)
