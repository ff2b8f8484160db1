"""The driver's end of the socket pair to the interchange: tasks out, results in, one I/O thread."""

from __future__ import annotations

import itertools
import logging
import os
import select
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import InvalidStateError
from typing import Any, NamedTuple

from parsl.common.batches import together
from parsl.common.forks import not_here
from parsl.executors.errors import ThreadLost
from parsl.executors.high_throughput.driver.failures import exception_of
from parsl.executors.high_throughput.errors import (
    CommandClientBadError,
    CommandClientTimeoutError,
    InterchangeLost,
)
from parsl.executors.high_throughput.wire import protocol, spool
from parsl.executors.high_throughput.wire.arena import Arena
from parsl.executors.high_throughput.wire.message_stream import MessageStream
from parsl.executors.high_throughput.wire.protocol import (
    Result,
    Task,
    decode_failure,
    decode_to_driver,
    encode,
)
from parsl.serialize.errors import DeserializationError
from parsl.serialize.functions import NamedFunction
from parsl.serialize.payloads import NONE, load_exception, load_value
from parsl.vocabulary.lean_future import LeanFuture

logger = logging.getLogger(__name__)

#: How many tasks go into one message to an interchange that takes a lost one's place.
_OFFERED_AT_ONCE = 10_000
#: With no more than so many tasks under way, the calling thread sends its task itself.
_FEW = 4


class HTEXFuture(LeanFuture[Any]):
    """The future of one task on the executor. Cancelling it ends the task wherever it is."""

    __slots__ = ("_client", "frames", "parsl_executor_task_id", "task")

    def __init__(self, task_id: int, client: InterchangeClient | None = None) -> None:
        super().__init__()
        self.parsl_executor_task_id = task_id
        self._client = client
        #: What was sent, to be sent again to an interchange that takes a lost one's place; None afterwards.
        self.task: Task | None = None
        self.frames: Sequence[Any] = ()

    def cancel(self) -> bool:
        """Cancel the task, queued or running; a running one is ended with all its processes.

        Returns: False when it is done already.
        """
        if not super().cancel():
            return False
        if self._client is not None:
            self._client.cancel(self.parsl_executor_task_id)
        return True


class Replacement(NamedTuple):
    """An interchange that takes a lost one's place."""

    #: The driver's end of its socket.
    sock: socket.socket
    #: Its settings, which it has to read first.
    settings: bytes
    #: What it has to hear before any task; asked when nothing can be said to the lost one any more.
    to_say: Callable[[], list[Any]]


class InterchangeClient:
    """Owns the socket and the thread that reads it. Any thread may submit, cancel and ask.

    When the interchange is gone and there is another, all tasks that have not ended are sent again.

    Args:
        sock: the driver's end.
        on_event: called in the I/O thread with what is not a result: managers joining, leaving, refused.
        on_lost: called in the I/O thread, once, when the other end is gone without having been told to; with
            an error, when it is the thread itself that cannot go on.
        label: the executor's.
        spool_directory: directory for large payloads; empty for none.
        start_again: called in the I/O thread when the other end is gone; gives another, or None.
        arena: memory for middle-sized arguments; None for none.
    """

    def __init__(
        self,
        sock: socket.socket,
        on_event: Callable[[Any], None],
        on_lost: Callable[[ThreadLost | None], None],
        label: str,
        spool_directory: str = "",
        start_again: Callable[[], Replacement | None] = lambda: None,
        arena: Arena | None = None,
    ) -> None:
        self._spool = spool_directory
        self._stream = MessageStream(sock)
        #: Called in the I/O thread with a task and how the machinery failed it; returns whether the task is
        #: kept until :meth:`settle` is called with it.
        self.on_failure: Callable[[int, protocol.Failure], bool] | None = None
        self._on_event = on_event
        self._on_lost = on_lost
        self._start_again = start_again
        self._arena = arena
        self._lock = threading.Lock()
        self._send_lock = threading.Lock()
        #: Futures of the tasks that have not ended, by task number.
        self.pending: dict[int, HTEXFuture] = {}
        self._outbox: list[Task] = []
        self._outbox_frames: list[Any] = []
        self._new_functions: dict[bytes, bytes] = {}
        self._functions: dict[bytes, bytes] = {}
        self._controls: list[bytes] = []
        self._is_awake = False
        self._closed: BaseException | None = None
        #: The I/O thread has ended: no answer comes any more.
        self._is_over = False
        self._numbers = itertools.count(1)
        self._questions: dict[int, tuple[protocol.Query, LeanFuture[protocol.Answer]]] = {}
        self._wake_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll = select.epoll()
        self._thread = threading.Thread(target=self._run, name=f"{label}-io", daemon=True)

    def __repr__(self) -> str:
        return f"<InterchangeClient pending={len(self.pending)} unsent={len(self._outbox)}>"

    def start(self) -> None:
        self._epoll.register(self._stream.fileno(), select.EPOLLIN)
        self._epoll.register(self._wake_fd, select.EPOLLIN)
        self._thread.start()

    # From any thread

    def submit(
        self, future: HTEXFuture, task: Task, frames: Sequence[Any], function: NamedFunction | None
    ) -> None:
        """Send a task.

        Raises: the reason why the client was closed, if it was.
        """
        with self._lock:
            if self._closed is not None:
                raise self._closed
            pending = self.pending
            pending[task.id] = future
            future.task = task
            self._outbox.append(task)
            if frames:
                future.frames = frames
                self._outbox_frames.extend(frames)
            if function is not None and function.name not in self._functions:
                self._functions[function.name] = self._new_functions[function.name] = function.body
            if self._is_awake:
                return  # the I/O thread is on its way and takes this task too
            is_busy = self._is_awake = len(pending) > _FEW
        if is_busy:
            self._wake()
        else:
            self._flush()

    def cancel(self, task_id: int) -> None:
        """Forget a task and have it ended."""
        with self._lock:
            future = self.pending.pop(task_id, None)
            if future is not None:
                self._let_go(future)
        self._discard_arguments(task_id)
        self.tell(protocol.Cancel([task_id]))

    def refuse(self, future: HTEXFuture, error: BaseException) -> None:
        """Fail a task that was sent, with a reason that was found too late, and have it forgotten."""
        self.cancel(future.parsl_executor_task_id)
        _settle(future, None, error)

    def tell(self, message: Any) -> None:
        """Send a message that is no task."""
        with self._lock:
            if self._closed is not None:
                return
            self._controls.append(encode(message))
        self._flush()

    def ask(self, what: str, timeout_s: float) -> protocol.Answer:
        """Ask the interchange and wait for its answer.

        Raises: CommandClientTimeoutError when none comes in time, CommandClientBadError when none can come.
        """
        number = next(self._numbers)
        query, answer = protocol.Query(number, what), LeanFuture[protocol.Answer]()
        self._questions[number] = query, answer
        try:
            if isinstance(self._closed, CommandClientBadError):
                raise self._closed
            if self._is_over:
                raise _nobody_answers()
            self.tell(query)
            return answer.result(timeout=timeout_s)
        except TimeoutError:
            raise CommandClientTimeoutError(
                f"The interchange did not answer the question for {what!r} within {timeout_s:g} s."
            ) from None
        finally:
            self._questions.pop(number, None)

    def fail_all(self, exception: BaseException) -> None:
        """Fail every task that has not ended."""
        with self._lock:
            pending, self._outbox, self._outbox_frames = list(self.pending.values()), [], []
            self.pending.clear()
        for future in pending:
            self._let_go(future)
            self._discard_arguments(future.parsl_executor_task_id)
            _settle(future, None, exception)

    def _discard_arguments(self, task_id: int) -> None:
        """Nobody will read what may still lie in the spool for a task."""
        if self._spool:
            spool.discard(spool.task_file(self._spool, task_id))

    def close(self, because: BaseException, timeout_s: float) -> None:
        """Send nothing more, end the thread, fail what is left with the reason."""
        with self._lock:
            self._closed = because
        self._wake()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        self.fail_all(because)

    def disown(self) -> None:
        """Let go of the connection in a forked child: it is the parent's, who has the thread, too."""
        self._lock, self._send_lock = threading.Lock(), threading.Lock()
        self._closed = CommandClientBadError(not_here("The connection to the interchange"))
        if not self._is_over:
            self._is_over = True
            self._epoll.close()
            self._stream.sock.close()
            os.close(self._wake_fd)

    # Sending

    def _wake(self) -> None:
        with self._lock:
            # Its number may be another descriptor's once the thread has ended and closed it.
            if not self._is_over:
                os.eventfd_write(self._wake_fd, 1)

    def _flush(self) -> None:
        """Send what has piled up; called by whichever thread has something to send."""
        with self._send_lock:
            with self._lock:
                self._is_awake = False
                tasks, self._outbox = self._outbox, []
                frames, self._outbox_frames = self._outbox_frames, []
                functions, self._new_functions = self._new_functions, {}
                controls, self._controls = self._controls, []
            if tasks:
                self._stream.queue([encode(protocol.Tasks(tasks, functions)), *frames])
            for control in controls:
                self._stream.queue([control])
            try:
                is_done = self._stream.flush()
            except OSError:
                with self._lock:  # the other end is gone, as the reading side is about to find out
                    self._controls = controls + self._controls
                return
        if not is_done:
            self._watch_output(True)

    def _watch_output(self, wanted: bool) -> None:
        try:
            self._epoll.modify(self._stream.fileno(), select.EPOLLIN | (select.EPOLLOUT if wanted else 0))
        except (OSError, ValueError):
            pass  # closed meanwhile

    # The I/O thread

    def _run(self) -> None:
        try:
            while self._closed is None:
                try:
                    self._turn()
                except EOFError:
                    self._go_on_with_another()
        except EOFError:
            self._end_without_another()
        except BaseException as error:
            logger.critical("The I/O thread of an executor has failed", exc_info=True)
            self._fail(ThreadLost(self._thread.name, "sends tasks and reads results", error))
        finally:
            with self._send_lock, self._lock:
                self._is_over = True
                self._epoll.close()
                self._stream.sock.close()
                os.close(self._wake_fd)
            for _, question in list(self._questions.values()):
                _settle(question, None, _nobody_answers())

    def _go_on_with_another(self) -> None:
        """The interchange is gone, and all that it has sent is read: give another all that has not ended.

        Raises: EOFError when there is no other.
        """
        replacement = None if self._closed is not None else self._start_again()
        if replacement is None:
            raise EOFError
        with self._send_lock:
            with self._lock:
                self._epoll.unregister(self._stream.fileno())
                self._stream.sock.close()
                self._stream = stream = MessageStream(replacement.sock)
                self._outbox, self._outbox_frames, self._new_functions = [], [], {}
                self._is_awake = False
                unended = [(one.task, one.frames) for one in self.pending.values() if one.task is not None]
                functions = dict(self._functions)
                self._epoll.register(stream.fileno(), select.EPOLLIN)
            stream.queue([replacement.settings])
            for message in replacement.to_say():
                stream.queue([encode(message)])
            for at in range(0, len(unended) or 1, _OFFERED_AT_ONCE):
                batch = unended[at : at + _OFFERED_AT_ONCE]
                frames = [frame for _, frames in batch for frame in frames]
                stream.queue([encode(protocol.Tasks([task for task, _ in batch], functions)), *frames])
                functions = {}
            for message in (protocol.Restored(), *(query for query, _ in list(self._questions.values()))):
                stream.queue([encode(message)])
        self._flush()

    def _end_without_another(self) -> None:
        """Fail all tasks, and those that come until it is known why; take no more."""
        if self._closed is not None:
            return
        self._on_lost(None)
        if self._refuse_tasks(InterchangeLost("The interchange is gone: nobody takes tasks any more.")):
            self._on_lost(None)  # some may have come since it was called first

    def _refuse_tasks(self, because: BaseException) -> bool:
        """Take no more tasks: nobody would settle them. Returns: False when that has been so already."""
        with self._lock:
            was_open = self._closed is None
            self._closed = self._closed or because
        return was_open

    def _fail(self, error: ThreadLost) -> None:
        try:
            if self._refuse_tasks(error):
                self._on_lost(error)
        finally:
            self.fail_all(error)

    def _turn(self) -> None:
        wake_fd = self._wake_fd
        for fd, event in self._epoll.poll():
            if fd == wake_fd:
                os.eventfd_read(wake_fd)
                self._flush()
                continue
            if event & select.EPOLLOUT:
                self._watch_output(False)
                self._flush()
            if event & ~select.EPOLLOUT:
                for frames in self._stream.receive():
                    self._take(frames)

    def _take(self, frames: list[Any]) -> None:
        message = decode_to_driver(frames[0])
        if isinstance(message, protocol.Results):
            together(self._take_results, message.results, frames)
        elif isinstance(message, protocol.Answer) and message.number:
            if message.number in self._questions:
                _settle(self._questions[message.number][1], message, None)
        else:
            self._on_event(message)

    def _take_results(self, results: list[Result], frames: list[Any]) -> None:
        pending = self.pending
        at = 1
        for result in results:
            payload, buffers = result.payload, frames[at:at]
            if result.spooled:
                payload, buffers = self._from_spool(result)
            elif result.sizes:
                end = at + len(result.sizes)
                payload, buffers = frames[at], [_writable(frame) for frame in frames[at + 1 : end]]
                at = end
            future = pending.pop(result.id, None)
            if future is None:
                continue  # cancelled, or failed before
            self._let_go(future)
            if result.status == protocol.DONE and payload == NONE:
                _settle(future, None, None)
            elif result.status == protocol.FAILED and self._keep_back(future, payload):
                pass
            else:
                if result.status == protocol.FAILED:
                    self._discard_arguments(result.id)
                _settle(future, *_outcome(result.status, payload, buffers))

    def _keep_back(self, future: HTEXFuture, payload: Any) -> bool:
        """Whether somebody wants to find out more about a failure before the task is settled."""
        if self.on_failure is None:
            return False
        task_id = future.parsl_executor_task_id
        self.pending[task_id] = future  # before anybody can settle it
        try:
            is_kept = self.on_failure(task_id, decode_failure(payload))
        except Exception:
            logger.exception("More could not be found out about a task's failure")
            is_kept = False
        if not is_kept:
            self.pending.pop(task_id, None)
        return is_kept

    def settle(self, task_id: int, error: BaseException) -> None:
        """Fail a task that was kept back, if it has not been cancelled."""
        with self._lock:
            future = self.pending.pop(task_id, None)
        if future is not None:
            _settle(future, None, error)

    def _let_go(self, future: HTEXFuture) -> None:
        """It is not sent again, and its arguments are not needed any more."""
        task = future.task
        if task is not None:
            if task.place is not None and self._arena is not None:
                self._arena.release(task.place)
            future.task = None
            future.frames = ()

    def _from_spool(self, result: Result) -> tuple[Any, list[Any]]:
        path = spool.result_file(self._spool, result.id)
        if result.id not in self.pending:
            spool.discard(path)
            return b"", []
        try:
            if not self._spool:
                raise FileNotFoundError("this executor has no such files")
            payload, *buffers = spool.read(path, result.spooled)
        except (OSError, ValueError) as error:
            spool.discard(path)
            if (future := self.pending.pop(result.id, None)) is not None:
                self._fail_unread(future, error)
            return b"", []
        return payload, buffers

    def _fail_unread(self, future: HTEXFuture, error: Exception) -> None:
        """Fail a task whose result is there and cannot be had: others' can."""
        self._let_go(future)
        reason = (
            f"the task is done, but the driver cannot open its result, a file in memory: {error}. "
            "Where too many files are open, close some in the script, or raise the limit (`ulimit -n`)"
        )
        _settle(future, None, DeserializationError(reason))


def _nobody_answers() -> CommandClientBadError:
    return CommandClientBadError("The interchange is gone, and with it all that could be asked of it.")


def _writable(frame: Any) -> Any:
    """What shares memory with a result has to be the user's to change, whatever its size."""
    return bytearray(frame) if isinstance(frame, bytes) else frame


def _outcome(status: int, payload: Any, buffers: list[Any]) -> tuple[Any, BaseException | None]:
    try:
        if status == protocol.DONE:
            return load_value(payload, buffers), None
        if status == protocol.RAISED:
            return None, load_exception(payload)
        return None, exception_of(decode_failure(payload))
    except BaseException as error:
        return None, error


def _settle(future: LeanFuture[Any], value: Any, error: BaseException | None) -> None:
    try:
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)
    except InvalidStateError:
        pass  # cancelled meanwhile
