"""The loop of a manager process. Standard library only; see the package."""

from __future__ import annotations

import os
import socket
from abc import abstractmethod
from time import monotonic
from typing import Any, Protocol

from parsl.executors.cctools.sockets import DebugLog, SocketWatch
from parsl.executors.cctools.wire import (
    CANCEL,
    ENDED,
    FAILED,
    OPEN,
    READY,
    SUBMIT,
    WORKERS,
    Decoder,
    Record,
    encode,
)

#: How often the library gets to do what depends on time alone (keepalives, its catalog entry), in seconds,
#: with tasks and without. Tasks do not wait for this: their events end the wait.
BUSY_PERIOD_S = 1.0
IDLE_PERIOD_S = 5.0
#: The same without tasks, for a library that cannot return at once: a task that arrives waits meanwhile.
RESTING_PERIOD_S = 30.0
#: How long outcomes are collected before the driver's records have their turn, in seconds.
COLLECT_LIMIT_S = 0.05
#: The least time between two looks at the workers, in seconds; the library goes through all tasks for one.
WORKERS_PERIOD_S = 0.2
_RECEIVE_BYTES = 1 << 20


class Engine(Protocol):
    """An engine's library, as the loop uses it."""

    #: The library's debug log; None if the library cannot be made to return at once, so that it has to wait.
    log: DebugLog | None

    @abstractmethod
    def open(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Start the engine; return facts for the driver, among them ``port``."""

    @abstractmethod
    def submit(self, order: dict[str, Any]) -> None:
        """Submit a task."""

    @abstractmethod
    def cancel(self, number: int) -> None:
        """Cancel a task, if the engine still has it."""

    @abstractmethod
    def wait(self) -> tuple[int, dict[str, Any]] | None:
        """Let the library work. Return a task that has ended, by its number, and how; None if none has."""

    @abstractmethod
    def workers(self) -> list[dict[str, int]]:
        """Return what the connected workers have: for each kind, their number and resources."""

    @abstractmethod
    def close(self) -> None:
        """Release the workers, and end the engine."""


class EngineLoop:
    """Carries out what the driver requests, and reports what happens. Owns the engine.

    Args:
        engine: The engine.
        driver: The connection to the driver, whose end ends the loop.
    """

    def __init__(self, engine: Engine, driver: socket.socket) -> None:
        self._engine = engine
        self._driver = driver
        self._decoder = Decoder()
        self._watch = SocketWatch(driver)
        self._tasks: set[int] = set()
        self._has_more = False
        self._workers: list[dict[str, int]] = []
        self._workers_due_s = 0.0

    def run(self) -> None:
        """Run until the driver closes the connection."""
        if not self._start():
            return
        try:
            while self._step():
                pass
        finally:
            self._engine.close()

    def _start(self) -> bool:
        records = self._receive()
        if not records:
            return False
        kind, settings = records[0]
        assert kind == OPEN
        try:
            facts = self._engine.open(settings)
        except Exception as error:
            self._send([FAILED, f"{type(error).__name__}: {error}"])
            return False
        self._watch.find()
        self._send([READY, {**facts, "pid": os.getpid()}])
        for record in records[1:]:
            self._carry_out(record)
        return True

    def _step(self) -> bool:
        """Wait for events and handle them; return whether the driver is still there."""
        has_request, may_have_connected = self._watch.wait(self._patience_s())
        if has_request:
            records = self._receive()
            if not records:
                return False
            for record in records:
                self._carry_out(record)
        self._collect()
        if may_have_connected:
            self._watch.find()
        self._report_workers()
        return True

    def _patience_s(self) -> float:
        if self._has_more:
            return 0.0
        if self._engine.log is None:  # the library itself waits
            return 0.0 if self._tasks else RESTING_PERIOD_S
        return BUSY_PERIOD_S if self._tasks else IDLE_PERIOD_S

    def _carry_out(self, record: Record) -> None:
        kind, content = record
        if kind == CANCEL:
            if content in self._tasks:
                self._tasks.discard(content)
                self._engine.cancel(content)
            return
        assert kind == SUBMIT
        try:
            self._engine.submit(content)
            self._tasks.add(content["number"])
        except Exception as error:
            reason = f"the library has refused the task with {type(error).__name__}: {error}"
            self._send([ENDED, content["number"], {"result": ["REFUSED"], "reason": reason}])

    def _collect(self) -> None:
        """Report tasks that have ended, until the library has nothing left to do."""
        end_s = monotonic() + COLLECT_LIMIT_S
        self._has_more = True
        while monotonic() < end_s:
            ended = self._engine.wait()
            if ended is not None:
                number, facts = ended
                self._tasks.discard(number)
                self._send([ENDED, number, facts])
                if self._engine.log is None and not self._tasks:
                    self._has_more = False  # the library would wait for nothing
                    return
            elif self._engine.log is None or not self._engine.log.has_received():
                self._has_more = False
                return

    def _report_workers(self) -> None:
        now_s = monotonic()
        if now_s < self._workers_due_s:
            return
        self._workers_due_s = now_s + WORKERS_PERIOD_S
        workers = self._engine.workers()
        if workers != self._workers:
            self._workers = workers
            self._send([WORKERS, workers])

    def _receive(self) -> list[Record]:
        """Return at least one record; nothing once the driver is gone."""
        while True:
            try:
                received = self._driver.recv(_RECEIVE_BYTES)
            except ConnectionError:
                received = b""
            if not received:
                return []
            if records := self._decoder.feed(received):
                return records

    def _send(self, record: Record) -> None:
        try:
            self._driver.sendall(encode([record]))
        except OSError:
            pass  # the driver is gone, which the next receive detects
