"""The process with a session of RADICAL-Pilot.

``python -m parsl.executors.radical.session_process SETTINGS FD``. RADICAL-Pilot starts many threads and
processes, handles signals, and may hang. It has a process of its own, so that the driver stays as it is, and
can end all of it.
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


def never_runs(task: Any, nodes: list[tuple[int, int]]) -> str:
    """Return why a pilot can never run a task; empty if it can.

    Args:
        task: A task description of RADICAL-Pilot.
        nodes: The cores and GPUs of each node of the pilot.
    """
    cores_each, gpus_each = task.cores_per_rank, task.gpus_per_rank
    room = 0
    for cores, gpus in nodes:
        ranks = cores // max(1, cores_each)
        room += ranks if not gpus_each else min(ranks, int(gpus / gpus_each))
    if task.ranks <= room:
        return ""
    needs = f"{task.ranks} ranks of {cores_each} cores and {gpus_each:g} GPUs"
    return f"the task requests {needs}, and the pilot has room for {room} at once"


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
        self._unchecked: list[Any] = []
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
            self._nodes_known([(len(node["cores"]), len(node["gpus"])) for node in nodes])
        if state in _FINAL:
            self._send(PilotEnded(state, str(getattr(pilot, "stderr", None) or "")[-_MAX_DETAIL:]))

    def _nodes_known(self, nodes: list[tuple[int, int]]) -> None:
        """Refuse the tasks that these nodes can never run, which RADICAL-Pilot may let wait for ever."""
        with self._lock:
            self._nodes = nodes
            unchecked, self._unchecked = self._unchecked, []
        refused = {task.uid: reason for task in unchecked if (reason := never_runs(task, nodes))}
        for uid, reason in refused.items():
            self._refuse(uid, reason)
        if refused:
            self._tasks.cancel_tasks(uids=list(refused))

    def _accept(self, uid: str, attributes: dict[str, Any]) -> Any:
        """Return the description of a task; None if it is refused."""
        try:
            description = self._rp.TaskDescription({**attributes, "uid": uid})
            description.verify()
        except Exception as error:
            self._refuse(uid, f"{type(error).__name__}: {error}")
            return None
        with self._lock:
            nodes = self._nodes
            if nodes is None:
                self._unchecked.append(description)
        if nodes is not None and (reason := never_runs(description, nodes)):
            self._refuse(uid, reason)
            return None
        return description

    def _task_changed(self, task: Any, state: str, *more: Any) -> None:
        if state in _FINAL and (number := self._numbers.pop(task.uid, None)) is not None:
            self._uids.pop(number, None)
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
        if known := [uid for uid in uids if uid is not None]:
            self._tasks.cancel_tasks(uids=known)

    def _submit(self, descriptions: list[Any]) -> None:
        try:
            self._tasks.submit_tasks(descriptions)
        except Exception as error:
            for description in descriptions:
                self._refuse(description.uid, f"{type(error).__name__}: {error}")

    def _refuse(self, uid: str, reason: str) -> None:
        if (number := self._numbers.pop(uid, None)) is not None:
            self._uids.pop(number, None)
            self._send(Ended(number, REFUSED, reason[-_MAX_DETAIL:]))

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
