"""The interchange's connection to the driver, what has reached the driver over it, and unopened payloads.

The driver reads whatever is in its socket, even if the interchange is lost. Only then may a manager forget
its results, and only then may a manager get tasks: a replacement waits for those that the driver knows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from parsl.common.system.polling import READABLE, WRITABLE, Poller
from parsl.executors.high_throughput.interchange.manager import Manager
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.message_stream import MessageStream
from parsl.executors.high_throughput.wire.protocol import (
    Result,
    Results,
    Running,
    Started,
    Task,
    Tasks,
    encode,
)

#: Results that have reached the driver are acknowledged with the next tasks, or after this time (seconds).
ACKNOWLEDGE_AFTER_S = 0.2


class _Mark(NamedTuple):
    """What has reached the driver once the stream is written up to a position."""

    end: int
    announced: list[Manager]
    #: Managers whose results these are, with the serial number up to which they have arrived.
    delivered: list[tuple[Manager, int]]


class DriverLink:
    """Sends together what accumulates in a turn of the loop. Owned by the loop, whose poller watches it."""

    def __init__(self, stream: MessageStream, poller: Poller) -> None:
        self._stream = stream
        self._poller = poller
        self._watches_output = False
        self._results: list[Result] = []
        self._frames: list[Any] = []
        #: Long tasks of all managers that the next flush reports.
        self._started: dict[int, Running] = {}
        #: Managers that the next flush reports, which get no tasks before that.
        self.announced: list[Manager] = []
        #: Managers whose results wait since the last mark.
        self._senders: dict[Manager, None] = {}
        self._marks: deque[_Mark] = deque()
        #: Managers to acknowledge results to. Those with frames keep memory until then, which is urgent.
        self._unacknowledged: dict[Manager, None] = {}
        self._acknowledge_at_s = 0.0
        self._is_urgent = False
        poller.register(stream.fileno(), READABLE)

    def __repr__(self) -> str:
        return f"<DriverLink {self._stream!r} results={len(self._results)} marks={len(self._marks)}>"

    def fileno(self) -> int:
        return self._stream.fileno()

    def receive(self) -> list[list[Any]]:
        """Return the messages that have arrived. EOFError and OSError mean that the driver is gone."""
        if self._watches_output:
            self._write()
        return self._stream.receive()

    def send(self, message: Any) -> None:
        self._stream.queue([encode(message)])

    def announce(self, manager: Manager, joined: protocol.ManagerJoined) -> None:
        self.send(joined)
        self.announced.append(manager)

    def deliver(
        self, results: Sequence[Result], frames: Sequence[Any] = (), sender: Manager | None = None
    ) -> None:
        """Send results with the next flush; later they are acknowledged to their sender, if it is given."""
        self._results += results
        self._frames += frames
        if sender is not None:
            self._senders[sender] = None
            self._is_urgent = self._is_urgent or bool(frames)

    def report_started(self, tasks: dict[int, Running], manager: int) -> None:
        """Report long tasks with the next flush."""
        for task in tasks.values():
            task.manager = manager
        self._started |= tasks

    def flush(self, now_s: float) -> list[Manager]:
        """Write as much as the socket takes, and return the managers that the driver knows from now on.

        An OSError means that the driver is gone.
        """
        if self._results:
            self._stream.queue([encode(Results(self._results)), *self._frames])
            self._results, self._frames = [], []
        if self._started:
            self._stream.queue([encode(Started(self._started))])
            self._started = {}
        if self._senders or self.announced:
            delivered = [(manager, manager.received) for manager in self._senders]
            self._marks.append(_Mark(self._stream.queued_bytes, self.announced, delivered))
            self.announced, self._senders = [], {}
        self._write()
        announced: list[Manager] = []
        while self._marks and self._marks[0].end <= self._stream.written_bytes:
            mark = self._marks.popleft()
            announced += mark.announced
            self._delivered(mark, now_s)
        return announced

    def _write(self) -> None:
        is_done = self._stream.flush()
        if is_done == self._watches_output:
            self._watches_output = not is_done
            self._poller.modify(self._stream.fileno(), READABLE | (0 if is_done else WRITABLE))

    def _delivered(self, mark: _Mark, now_s: float) -> None:
        if not mark.delivered:
            return
        if not self._unacknowledged:
            self._acknowledge_at_s = now_s + ACKNOWLEDGE_AFTER_S
        for manager, serial in mark.delivered:
            manager.written = serial
            self._unacknowledged[manager] = None
        if self._is_urgent:
            self._acknowledge_at_s, self._is_urgent = now_s, False

    @property
    def due_s(self) -> float:
        """When to acknowledge results for which no tasks were sent along; infinity for never."""
        return self._acknowledge_at_s if self._unacknowledged else float("inf")

    def acknowledged(self, manager: Manager) -> None:
        """Record that the results of a manager were acknowledged along with tasks."""
        self._unacknowledged.pop(manager, None)

    def take_unacknowledged(self) -> list[Manager]:
        managers, self._unacknowledged = self._unacknowledged, {}
        return [manager for manager in managers if not manager.is_gone]


class TaskPayloads:
    """Functions, and the frames of waiting tasks. Owned by the interchange's loop."""

    def __init__(self) -> None:
        self._functions: dict[bytes, bytes] = {}
        self._frames: dict[int, list[Any]] = {}

    def __repr__(self) -> str:
        return f"<TaskPayloads functions={len(self._functions)} with_frames={len(self._frames)}>"

    def keep(self, message: Tasks, frames: list[Any]) -> None:
        """Keep what came with tasks from the driver; the first of the frames is the head."""
        self._functions.update(message.functions)
        at = 1
        for task in message.tasks:
            if task.sizes:
                self._frames[task.id] = frames[at : at + len(task.sizes)]
                at += len(task.sizes)

    def drop(self, task_ids: Iterable[int]) -> None:
        """Forget the frames of tasks that are cancelled, or at a manager already."""
        for task_id in task_ids:
            self._frames.pop(task_id, None)

    def message(self, manager: Manager, tasks: list[Task]) -> list[Any]:
        """Build the message that dispatches tasks to a manager, with the functions that the manager lacks."""
        missing = {task.function for task in tasks if task.function} - manager.functions
        manager.functions |= missing
        functions = {name: self._functions[name] for name in missing if name in self._functions}
        frames = [frame for task in tasks if task.sizes for frame in self._frames.pop(task.id)]
        return [encode(Tasks(tasks, functions, manager.written)), *frames]


def split_frames(results: Sequence[Result], frames: Sequence[Any]) -> list[Sequence[Any]] | None:
    """Return the frames of each result; None if they do not have the sizes that the results state."""
    if not frames:
        return None if any(result.sizes for result in results) else [()] * len(results)
    parts = []
    at = 0
    for result in results:
        part = frames[at : at + len(result.sizes)]
        if tuple(memoryview(frame).nbytes for frame in part) != result.sizes:
            return None
        parts.append(part)
        at += len(part)
    return parts if at == len(frames) else None


def select_frames(
    kept: Sequence[Result], results: Sequence[Result], parts: Sequence[Sequence[Any]]
) -> list[Any]:
    """Return the frames of the kept results, given all results of the message and the frames of each."""
    ids = {result.id for result in kept}
    return [frame for result, part in zip(results, parts, strict=True) if result.id in ids for frame in part]
