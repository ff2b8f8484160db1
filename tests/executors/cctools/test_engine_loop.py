"""The loop of a manager process, with an engine of this module and a test as the driver."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from parsl.executors.cctools.engine_loop import EngineLoop
from parsl.executors.cctools.sockets import DebugLog
from parsl.executors.cctools.wire import Decoder, Record, encode


class FakeEngine:
    """Ends each task at the next wait, unless its command is ``wait``."""

    log: DebugLog | None = None

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {}
        self.tasks: dict[int, str] = {}
        self.cancelled: list[int] = []
        self.is_closed = False

    def open(self, settings: dict[str, Any]) -> dict[str, Any]:
        if "bad" in settings:
            raise ValueError("the port is taken")
        self.settings = settings
        return {"port": 9}

    def submit(self, order: dict[str, Any]) -> None:
        if order["command"] == "refuse":
            raise TypeError("no such resource")
        self.tasks[order["number"]] = order["command"]

    def cancel(self, number: int) -> None:
        self.cancelled.append(number)
        del self.tasks[number]

    def wait(self) -> tuple[int, dict[str, Any]] | None:
        for number, command in self.tasks.items():
            if command != "wait":
                del self.tasks[number]
                return number, {"result": []}
        return None

    def workers(self) -> list[dict[str, int]]:
        return [{"workers": 1, "cores": 2}]

    def close(self) -> None:
        self.is_closed = True


class Driver:
    """The other end of the loop's connection."""

    def __init__(self) -> None:
        self.engine = FakeEngine()
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(60)
        self._decoder = Decoder()
        self._records: list[Record] = []
        self.thread = threading.Thread(target=self._run, args=(theirs,), daemon=True)
        self.thread.start()

    def _run(self, connection: socket.socket) -> None:
        with connection:
            EngineLoop(self.engine, connection).run()

    def send(self, *records: Record) -> None:
        self._socket.sendall(encode(list(records)))

    def receive(self, kind: str) -> Record:
        """Return the next record of a kind; others are dropped."""
        while True:
            while self._records:
                record = self._records.pop(0)
                if record[0] == kind:
                    return record
            received = self._socket.recv(1 << 16)
            assert received, "the loop has closed the connection"
            self._records += self._decoder.feed(received)

    def close(self) -> None:
        self._socket.close()
        self.thread.join(60)
        assert not self.thread.is_alive()


@pytest.fixture
def driver() -> Iterator[Driver]:
    driver = Driver()
    yield driver
    driver.close()


@pytest.mark.linux
class TestEngineLoop:
    def test_tasks_are_submitted_and_their_ends_are_reported(self, driver: Driver) -> None:
        driver.send(["open", {"x": 1}])
        assert driver.receive("ready")[1]["port"] == 9
        driver.send(*(["submit", {"number": number, "command": "true"}] for number in (1, 2)))
        assert [driver.receive("ended")[1] for _ in range(2)] == [1, 2]
        assert driver.engine.settings == {"x": 1}

    def test_workers_are_reported(self, driver: Driver) -> None:
        driver.send(["open", {}])
        assert driver.receive("workers")[1] == [{"workers": 1, "cores": 2}]

    def test_a_task_is_cancelled_once(self, driver: Driver) -> None:
        driver.send(["open", {}])
        driver.send(["submit", {"number": 1, "command": "wait"}])
        driver.send(["cancel", 1], ["cancel", 1], ["cancel", 7], ["submit", {"number": 2, "command": "true"}])
        assert driver.receive("ended")[1] == 2
        assert driver.engine.cancelled == [1]

    def test_a_task_that_the_library_refuses_ends_with_the_reason(self, driver: Driver) -> None:
        driver.send(["open", {}], ["submit", {"number": 1, "command": "refuse"}])
        driver.send(["submit", {"number": 1, "command": "refuse"}])
        _, number, facts = driver.receive("ended")
        assert number == 1
        assert "TypeError: no such resource" in facts["reason"]

    def test_a_library_that_cannot_start_is_reported(self, driver: Driver) -> None:
        driver.send(["open", {"bad": True}])
        assert driver.receive("failed")[1] == "ValueError: the port is taken"
        driver.thread.join(60)
        assert not driver.engine.is_closed

    def test_the_end_of_the_driver_ends_the_engine(self) -> None:
        driver = Driver()
        driver.send(["open", {}])
        driver.receive("ready")
        driver.close()
        assert driver.engine.is_closed
