"""The tasks of an executor that have not ended: their futures, and what was sent for them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import InvalidStateError
from typing import Any, NamedTuple, Protocol

from parsl.executors.high_throughput.wire import protocol, spool
from parsl.executors.high_throughput.wire.arena import Arena
from parsl.executors.high_throughput.wire.protocol import Result, Task
from parsl.serialize.errors import DeserializationError
from parsl.serialize.functions import NamedFunction
from parsl.serialize.payloads import NONE, load_exception, load_value
from parsl.vocabulary.lean_future import LeanFuture

#: How many tasks one message to a replacement of a lost interchange contains.
_BATCH = 10_000
#: With no more than this many tasks under way, the calling thread sends its task itself.
_FEW = 4


class Canceller(Protocol):
    """Ends tasks on request."""

    def cancel(self, task_id: int) -> None: ...


class HTEXFuture(LeanFuture[Any]):
    """The future of one task on the executor. Cancelling it ends the task in any state."""

    __slots__ = ("_canceller", "attempt_usage", "parsl_executor_task_id", "task")

    def __init__(self, task_id: int, canceller: Canceller | None = None) -> None:
        super().__init__()
        self.parsl_executor_task_id = task_id
        self._canceller = canceller
        #: What was sent, to be sent again to a replacement of a lost interchange; None once it has ended.
        self.task: Task | None = None
        #: What the attempt has used, made by `pack_usage`; set before the future is done.
        self.attempt_usage = b""

    def cancel(self) -> bool:
        """Cancel the task, with all processes of a running one. Return False if the task has ended."""
        if not super().cancel():
            return False
        if self._canceller is not None:
            self._canceller.cancel(self.parsl_executor_task_id)
        return True


class Batch(NamedTuple):
    """Tasks to send in one message, with their frames and the bodies of new functions."""

    tasks: list[Task]
    frames: list[Any]
    functions: dict[bytes, bytes]


class TaskTable:
    """Owns every task from its submission until its future is settled. May be used from any thread."""

    def __init__(self, spool_directory: str = "", arena: Arena | None = None) -> None:
        self._spool = spool_directory
        self._arena = arena
        self._lock = threading.Lock()
        #: Futures of the tasks that have not ended, by task number.
        self.pending: dict[int, HTEXFuture] = {}
        #: The frames of those that have any: a slot in each future would take 16 bytes of every task.
        self._frames: dict[int, Sequence[Any]] = {}
        #: Why no more tasks are accepted; None while they are.
        self.refusal: BaseException | None = None
        #: Whether the I/O thread has been woken up to take the unsent tasks.
        self.is_awaiting_thread = False
        self._unsent: list[Task] = []
        self._unsent_frames: list[Any] = []
        self._new_functions: dict[bytes, bytes] = {}
        self._functions: dict[bytes, bytes] = {}

    def __repr__(self) -> str:
        return f"<TaskTable pending={len(self.pending)} unsent={len(self._unsent)}>"

    # From submission to sending

    def add(
        self, future: HTEXFuture, task: Task, frames: Sequence[Any], function: NamedFunction | None
    ) -> bool:
        """Add a task, or raise the refusal. Return False if the I/O thread is about to send it."""
        with self._lock:
            if self.refusal is not None:
                raise self.refusal
            pending = self.pending
            pending[task.id] = future
            future.task = task
            self._unsent.append(task)
            if frames:
                self._frames[task.id] = frames
                self._unsent_frames.extend(frames)
            if function is not None and function.name not in self._functions:
                self._functions[function.name] = self._new_functions[function.name] = function.body
            if self.is_awaiting_thread:
                return False
            self.is_awaiting_thread = len(pending) > _FEW
            return True

    def take_unsent(self) -> Batch:
        with self._lock:
            self.is_awaiting_thread = False
            batch = Batch(self._unsent, self._unsent_frames, self._new_functions)
            self._unsent, self._unsent_frames, self._new_functions = [], [], {}
        return batch

    def take_all(self) -> Iterator[Batch]:
        """Return all tasks that have not ended, in at least one batch, for an interchange without any."""
        with self._lock:
            self.is_awaiting_thread = False
            self._unsent, self._unsent_frames, self._new_functions = [], [], {}
            futures = self.pending.values()
            tasks = [future.task for future in futures if future.task is not None]
            sent = [(task, self._frames.get(task.id, ())) for task in tasks]
            functions = dict(self._functions)
        for start in range(0, len(sent) or 1, _BATCH):
            part = sent[start : start + _BATCH]
            frames = [frame for _, frames in part for frame in frames]
            yield Batch([task for task, _ in part], frames, functions)
            functions = {}

    # The end of tasks

    def complete(self, results: list[Result], frames: list[Any]) -> list[tuple[int, bytes]]:
        """Settle the futures of tasks with their results; return numbers and records of failed ones.

        The tasks that the machinery failed stay in the table until `fail` is called.
        """
        failed = []
        pending = self.pending
        at = 1
        for result in results:
            payload, buffers = result.payload, frames[at:at]
            if result.sizes:
                end = at + len(result.sizes)
                payload, buffers = frames[at], [_writable(frame) for frame in frames[at + 1 : end]]
                at = end
            if result.status == protocol.FAILED:
                with self._lock:
                    if (future := pending.get(result.id)) is not None:
                        self._release(future)
                        failed.append((result.id, payload))
                continue
            future = pending.pop(result.id, None)
            if future is None:  # cancelled, or failed before
                if result.spooled:
                    spool.discard(spool.result_file(self._spool, result.id))
                continue
            self._release(future)
            future.attempt_usage = result.usage
            if result.status == protocol.DONE and payload == NONE:
                settle(future, None, None)
            else:
                settle(future, *self._load(result, payload, buffers))
        return failed

    def fail(self, task_id: int, error: BaseException) -> None:
        future = self.remove(task_id)
        if future is not None:
            settle(future, None, error)

    def fail_all(self, error: BaseException) -> None:
        with self._lock:
            pending, self._unsent, self._unsent_frames = list(self.pending.values()), [], []
            self.pending.clear()
        for future in pending:
            self._release(future)
            self._discard_arguments(future.parsl_executor_task_id)
            settle(future, None, error)

    def remove(self, task_id: int) -> HTEXFuture | None:
        """Remove a task and everything kept for it. Return its future; None if the task has ended."""
        with self._lock:
            future = self.pending.pop(task_id, None)
            if future is not None:
                self._release(future)
        self._discard_arguments(task_id)
        return future

    def refuse(self, because: BaseException) -> bool:
        """Accept no more tasks, and return whether tasks were accepted until now."""
        with self._lock:
            was_open = self.refusal is None
            self.refusal = self.refusal or because
        return was_open

    def shut_down(self, because: BaseException) -> None:
        """Accept no more tasks for this reason, and no longer for another one, such as a lost interchange."""
        with self._lock:
            self.refusal = because

    def disown(self, because: BaseException) -> None:
        """Accept no tasks in a forked child, where a thread that does not exist may hold the lock."""
        self._lock = threading.Lock()
        self.refusal = because

    def _release(self, future: HTEXFuture) -> None:
        """Free the arguments of a task that is not sent again; the caller removed it or holds the lock."""
        task = future.task
        if task is not None:
            if task.place is not None and self._arena is not None:
                self._arena.release(task.place)
            future.task = None
            self._frames.pop(task.id, None)

    def _discard_arguments(self, task_id: int) -> None:
        if self._spool:
            spool.discard(spool.task_file(self._spool, task_id))

    def _load(self, result: Result, payload: Any, buffers: list[Any]) -> tuple[Any, BaseException | None]:
        """Return the value or the error of a task. Loading it may raise any error."""
        try:
            if result.spooled:
                payload, *buffers = self._read_spooled(result)
            if result.status == protocol.DONE:
                return load_value(payload, buffers), None
            return None, load_exception(payload)
        except BaseException as error:
            return None, error

    def _read_spooled(self, result: Result) -> list[memoryview]:
        path = spool.result_file(self._spool, result.id)
        try:
            if not self._spool:
                raise FileNotFoundError("this executor has no such files")
            return spool.read(path, result.spooled)
        except (OSError, ValueError) as error:
            spool.discard(path)
            raise DeserializationError(
                f"the task is done, but the driver cannot open its result, a file in memory: {error}. Where "
                "too many files are open, close some in the script, or raise the limit (`ulimit -n`)"
            ) from error


def _writable(frame: Any) -> Any:
    """Return a frame that users may change, as they may change large ones: results share its memory."""
    return bytearray(frame) if isinstance(frame, bytes) else frame


def settle(future: LeanFuture[Any], value: Any, error: BaseException | None) -> None:
    """Set the outcome of a future, unless it was cancelled in the meantime."""
    try:
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)
    except InvalidStateError:
        pass
