"""A connection that breaks and is restored loses at most the messages in transit, and nothing hangs."""

from __future__ import annotations

import selectors
import shlex
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from parsl.common.commands import python_command
from parsl.executors import HighThroughputExecutor
from parsl.executors.high_throughput.errors import ManagerLost
from parsl.providers import LocalProvider

if TYPE_CHECKING:
    from tests.conftest import WaitUntil


class Relay:
    """Forwards TCP connections to a port until the test breaks them."""

    def __init__(self) -> None:
        self.port_behind = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._lock = threading.Lock()
        self._is_over = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._is_over:
            for key, _ in self._selector.select(0.02):
                with self._lock:
                    self._serve(key.fileobj)

    def _serve(self, sock: Any) -> None:
        if sock is self._listener:
            near, _ = self._listener.accept()
            far = socket.create_connection(("127.0.0.1", self.port_behind))
            for one, other in ((near, far), (far, near)):
                self._pairs[one] = other
                self._selector.register(one, selectors.EVENT_READ)
        elif sock in self._pairs:
            try:
                data = sock.recv(65536)
                if data:
                    self._pairs[sock].sendall(data)
                    return
            except OSError:
                pass
            self._drop(sock)

    def _drop(self, sock: socket.socket) -> None:
        for one in (sock, self._pairs[sock]):
            self._selector.unregister(one)
            del self._pairs[one]
            one.close()

    def break_all(self) -> None:
        """Close every connection, and accept new ones."""
        with self._lock:
            while self._pairs:
                self._drop(next(iter(self._pairs)))

    def close(self) -> None:
        self._is_over = True
        self._thread.join()
        self.break_all()
        self._listener.close()
        self._selector.close()


@pytest.fixture
def relay() -> Iterator[Relay]:
    relay = Relay()
    yield relay
    relay.close()


@pytest.fixture
def executor(relay: Relay, tmp_path: Path) -> Iterator[HighThroughputExecutor]:
    command = shlex.join(python_command("parsl.executors.high_throughput.process_worker_pool"))
    executor = HighThroughputExecutor(
        address="127.0.0.1",
        launch_cmd=command + f" --settings {{settings}} --block_id {{block_id}} --port {relay.port}",
        max_workers_per_node=2,
        provider=LocalProvider(init_blocks=1, max_blocks=1),
    )
    executor.run_dir = str(tmp_path)
    executor.start()
    executor.scale_out_facade(1)
    relay.port_behind = executor.engine.endpoints.port
    # Managers try the local socket first; this makes them connect over the network.
    settings = tmp_path / executor.label / "manager-settings.json"
    settings.write_text(settings.read_text().replace("managers.sock", "none.sock"))
    yield executor
    executor.shutdown()


def outcome(future: Future[Any]) -> str:
    error = future.exception(timeout=60)
    assert error is None or isinstance(error, ManagerLost)
    return "lost" if error else "done"


def test_a_disconnected_idle_manager_reconnects(
    executor: HighThroughputExecutor, relay: Relay, wait_until: WaitUntil
) -> None:
    assert executor.submit(abs, {}, -1).result(60) == 1
    [before] = executor.connected_managers()
    relay.break_all()
    wait_until(
        lambda: [known["active"] for known in executor.connected_managers()] == [False], what="the break"
    )
    wait_until(
        lambda: [known["active"] for known in executor.connected_managers()] == [True], what="the return"
    )
    [after] = executor.connected_managers()
    assert after["manager"] == before["manager"]
    assert executor.submit(abs, {}, -2).result(60) == 2


def touch_and_sleep(path: str, seconds: float) -> None:
    """Runs in a worker."""
    import pathlib
    import time

    pathlib.Path(path).touch()
    time.sleep(seconds)


def test_running_tasks_survive_and_tasks_in_transit_fail(
    executor: HighThroughputExecutor, relay: Relay, wait_until: WaitUntil, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    long = executor.submit(touch_and_sleep, {}, str(begun), 5)
    wait_until(begun.exists)
    futures: list[Future[Any]] = []
    for _ in range(3):
        futures += [executor.submit(abs, {}, -1) for _ in range(200)]
        relay.break_all()
        futures[-1].exception(timeout=60)
    assert {outcome(future) for future in futures} >= {"done"}
    assert outcome(long) == "done"
    assert executor.outstanding() == 0
