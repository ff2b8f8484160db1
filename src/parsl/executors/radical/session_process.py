"""The process with a session of RADICAL-Pilot.

``python -m parsl.executors.radical.session_process SETTINGS FD``. RADICAL-Pilot starts many threads and
processes, handles signals, and may hang. In a process of its own, it leaves the driver unchanged, and the
driver can end all of it.
"""

from __future__ import annotations

import os
import selectors
import socket
import sys
import threading
import time
from importlib import import_module
from typing import Any

import msgspec

from parsl.executors.radical.messages import (
    REFUSED,
    TOO_LARGE,
    Cancel,
    Ended,
    FromSession,
    Lines,
    Opened,
    PilotEnded,
    Settings,
    Submit,
    ToSession,
    decode_to_session,
    line,
)

_ACTIVE = "PMGR_ACTIVE"
_FINAL = frozenset({"DONE", "FAILED", "CANCELED"})
_MAX_BULK = 1024
_MAX_DETAIL = 2000


def why_too_large(task: Any, nodes: list[tuple[int, int]]) -> str:
    """Return why a pilot can never run a task; empty if it can.

    Args:
        task: A task description of RADICAL-Pilot, whose attributes may be None.
        nodes: The cores and GPUs of each node of the pilot.
    """
    ranks, cores_each, gpus_each = task.ranks or 1, task.cores_per_rank or 1, task.gpus_per_rank or 0.0
    room = 0
    for cores, gpus in nodes:
        fitting = cores // cores_each
        room += fitting if not gpus_each else min(fitting, int(gpus / gpus_each))
    if ranks <= room:
        return ""
    each = f"{cores_each} core(s)" + (f" and {gpus_each:g} GPU(s)" if gpus_each else "")
    return f"it requests {ranks} rank(s) of {each}, and the pilot has room for {room} such ranks"


def _usable(amounts: list[Any]) -> int:
    """Return how many cores or GPUs of a node tasks can use; those that are blocked are None."""
    return sum(amount is not None for amount in amounts)


class Session:
    """A session with one pilot. The main thread submits, and RADICAL-Pilot's threads report ends."""

    def __init__(self, settings: Settings, connection: socket.socket) -> None:
        self._settings = settings
        self._connection = connection
        self._lock = threading.Lock()
        self._rp: Any = import_module("radical.pilot")
        self._numbers: dict[str, int] = {}
        self._uids: dict[int, str] = {}
        #: The cores and GPUs of each node of the pilot; None before it runs.
        self._nodes: list[tuple[int, int]] | None = None
        #: The tasks that were submitted before the nodes were known.
        self._unchecked: dict[str, Any] = {}
        #: Two threads cancel tasks, through one socket of RADICAL-Pilot.
        self._cancelling = threading.Lock()
        self._session = self._rp.Session()
        pilots = self._rp.PilotManager(session=self._session)
        pilots.register_callback(self._pilot_changed)
        self._tasks = self._rp.TaskManager(session=self._session)
        self._tasks.register_callback(self._task_changed)
        pilot = pilots.submit_pilots(self._rp.PilotDescription(settings.pilot))
        self._tasks.add_pilots(pilot)
        self._send(Opened(self._session.uid))

    def _send(self, message: FromSession) -> None:
        with self._lock:
            self._connection.sendall(line(message))

    def _pilot_changed(self, pilot: Any, state: str, *more: Any) -> None:
        details = getattr(pilot, "resource_details", None) or {}
        if state == _ACTIVE and (nodes := details.get("node_list")):
            self._nodes_known([(_usable(node["cores"]), _usable(node["gpus"])) for node in nodes])
        if state in _FINAL:
            self._send(PilotEnded(state, str(getattr(pilot, "stderr", None) or "")[-_MAX_DETAIL:]))

    def _nodes_known(self, nodes: list[tuple[int, int]]) -> None:
        """Refuse the tasks that these nodes can never run, which RADICAL-Pilot may let wait for ever."""
        with self._lock:
            self._nodes = nodes
            unchecked, self._unchecked = self._unchecked, {}
        reasons = {uid: why_too_large(task, nodes) for uid, task in unchecked.items() if uid in self._numbers}
        refused = [uid for uid, reason in reasons.items() if reason]
        for uid in refused:
            self._refuse(uid, TOO_LARGE, reasons[uid])
        self._cancel(refused)

    def _cancel(self, uids: list[str]) -> None:
        if uids:
            with self._cancelling:
                self._tasks.cancel_tasks(uids=uids)

    def _accept(self, uid: str, attributes: dict[str, Any]) -> Any:
        """Return the description of a task; None if it is refused."""
        try:
            description = self._rp.TaskDescription({**attributes, "uid": uid})
            description.verify()
        except Exception as error:
            self._refuse(uid, REFUSED, f"{type(error).__name__}: {error}")
            return None
        with self._lock:
            nodes = self._nodes
            if nodes is None:
                self._unchecked[uid] = description
        if nodes is not None and (reason := why_too_large(description, nodes)):
            self._refuse(uid, TOO_LARGE, reason)
            return None
        return description

    def _task_changed(self, task: Any, state: str, *more: Any) -> None:
        if state in _FINAL and (number := self._numbers.pop(task.uid, None)) is not None:
            self._uids.pop(number, None)
            with self._lock:
                self._unchecked.pop(task.uid, None)
            code = "" if task.exit_code is None else f"exit code {task.exit_code}"
            # Of a task that has waited, the scheduler's reason is only in the detail of the exception.
            facts = [code, task.exception, task.exception_detail, task.stderr]
            detail = "; ".join(text for fact in facts if (text := str(fact or "").strip()))[-_MAX_DETAIL:]
            self._send(Ended(number, state, detail))

    def handle(self, messages: list[ToSession]) -> None:
        """Submit the tasks among the messages together, then cancel others."""
        descriptions = []
        for message in messages:
            if isinstance(message, Submit):
                uid = f"parsl.{os.getpid()}.{message.number}"
                self._numbers[uid], self._uids[message.number] = message.number, uid
                if (description := self._accept(uid, message.description)) is not None:
                    descriptions.append(description)
        if descriptions:
            self._submit(descriptions)
        uids = [self._uids.get(message.number) for message in messages if isinstance(message, Cancel)]
        self._cancel([uid for uid in uids if uid is not None])

    def _submit(self, descriptions: list[Any]) -> None:
        try:
            self._tasks.submit_tasks(descriptions)
        except Exception as error:
            for description in descriptions:
                self._refuse(description.uid, REFUSED, f"{type(error).__name__}: {error}")

    def _refuse(self, uid: str, state: str, reason: str) -> None:
        if (number := self._numbers.pop(uid, None)) is not None:
            self._uids.pop(number, None)
            self._send(Ended(number, state, reason[-_MAX_DETAIL:]))

    def serve(self) -> None:
        """Handle messages until the driver closes the connection."""
        lines = Lines(decode_to_session)
        while data := self._connection.recv(1 << 16):
            messages = lines.feed(data + self._collect())
            for start in range(0, len(messages), _MAX_BULK):
                self.handle(messages[start : start + _MAX_BULK])

    def _collect(self) -> bytes:
        """Return what arrives within the time in which tasks are collected."""
        found, end_s = b"", time.monotonic() + self._settings.bulk_wait_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._connection, selectors.EVENT_READ)
            while (left_s := end_s - time.monotonic()) > 0 and selector.select(left_s):
                data = self._connection.recv(1 << 16)
                if not data:
                    break
                found += data
        return found

    def close(self) -> None:
        """End the pilot and the session."""
        self._session.close(download=False)


def main() -> int:
    """Open a session, serve, and close it."""
    settings = msgspec.json.decode(sys.argv[1], type=Settings)
    connection = socket.socket(fileno=int(sys.argv[2]))
    session = Session(settings, connection)
    try:
        session.serve()
    finally:
        session.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
