"""The driver's connection to the interchange: tasks made from calls, the socket, and the I/O thread."""

from __future__ import annotations

import collections
import itertools
import logging
import socket
import threading
from collections.abc import Callable
from typing import Any, Protocol

from parsl.common import threads
from parsl.common.system import make_wakeup
from parsl.common.system.polling import READABLE, WRITABLE, make_poller
from parsl.common.threads import not_here, together
from parsl.executors.errors import ThreadLost
from parsl.executors.high_throughput import errors
from parsl.executors.high_throughput.driver.endpoints import Endpoints
from parsl.executors.high_throughput.driver.resource_specification import Requirements
from parsl.executors.high_throughput.driver.tasks import HTEXFuture, TaskTable, settle
from parsl.executors.high_throughput.wire import arena, protocol, spool
from parsl.executors.high_throughput.wire.message_stream import MessageStream
from parsl.executors.high_throughput.wire.protocol import Answer, Result, Task, decode_to_driver, encode
from parsl.serialize.functions import FunctionCache, NamedFunction
from parsl.serialize.payloads import dump_arguments, dump_call
from parsl.vocabulary.lean_future import LeanFuture

logger = logging.getLogger(__name__)


class ConnectionOwner(Protocol):
    """What the connection requires of the engine. The I/O thread calls all of it."""

    def handle_failures(self, failed: list[tuple[int, bytes]]) -> None: ...
    def handle_event(self, message: Any) -> None: ...
    def replace_interchange(self) -> socket.socket | None: ...
    def opening_messages(self, *, is_replacement: bool) -> list[bytes]: ...
    def handle_loss(self, error: ThreadLost | None) -> None: ...


class Connection:
    """Owns the socket to the interchange and the thread that reads it. Any thread may send messages.

    If the interchange is lost and replaced, all tasks that have not ended are sent again.
    """

    def __init__(self, sock: socket.socket, tasks: TaskTable, owner: ConnectionOwner, label: str) -> None:
        self._stream = MessageStream(sock)
        self._tasks = tasks
        self._owner = owner
        self._lock = threading.Lock()
        self._send_lock = threading.Lock()
        self._controls: collections.deque[bytes] = collections.deque()
        #: Whether the I/O thread has ended, and no answer can arrive.
        self._is_over = False
        self._no_answer = "The interchange is gone and cannot answer."
        self._numbers = itertools.count(1)
        self._requests: dict[int, tuple[protocol.Query, LeanFuture[Answer]]] = {}
        self._wakeup = make_wakeup()
        self._notify = self._wakeup.notify
        self._poller = make_poller()
        self._thread = threading.Thread(target=self._run, name=f"{label}-io", daemon=True)

    def __repr__(self) -> str:
        return f"<Connection {self._stream!r} requests={len(self._requests)} is_open={self.is_open}>"

    @property
    def is_open(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        for message in self._owner.opening_messages(is_replacement=False):
            self._stream.queue([message])
        self._poller.register(self._stream.fileno(), READABLE)
        self._poller.register(self._wakeup.fd, READABLE)
        self._flush()
        self._thread.start()

    # Sending, from any thread

    def send_tasks(self) -> None:
        """Send the tasks that were added: in this thread if there are few, else in the I/O thread."""
        if self._tasks.is_awaiting_thread:
            self._wake()
        else:
            self._flush()

    def cancel(self, task_id: int) -> None:
        """Remove a task, and cancel it wherever it is."""
        self._tasks.remove(task_id)
        self.send(protocol.Cancel([task_id]))

    def reject(self, task_id: int, error: BaseException) -> None:
        """Fail a task that was sent, for a reason that was found only later, and cancel it."""
        self._tasks.fail(task_id, error)
        self.send(protocol.Cancel([task_id]))

    def send(self, message: Any) -> None:
        """Send a message without tasks."""
        if self._tasks.refusal is None:
            self._controls.append(encode(message))
            self._flush()

    def request(self, what: str, timeout_s: float) -> Answer:
        """Request information, and wait for the answer; raise a CommandClient error if none arrives."""
        number = next(self._numbers)
        query, answer = protocol.Query(number, what), LeanFuture[Answer]()
        self._requests[number] = query, answer
        try:
            if self._is_over:
                raise errors.CommandClientBadError(self._no_answer)
            self.send(query)
            return answer.result(timeout=timeout_s)
        except TimeoutError:
            raise errors.CommandClientTimeoutError(
                f"The interchange did not answer the request for {what!r} within {timeout_s:g} s."
            ) from None
        finally:
            self._requests.pop(number, None)

    def close(self, because: BaseException, timeout_s: float) -> None:
        """Send no more messages, end the I/O thread, and fail all remaining tasks with the reason."""
        self._tasks.shut_down(because)
        if self._thread.ident is None:
            self._close_descriptors()
        self._wake()
        threads.join(self._thread, timeout_s)
        self._tasks.fail_all(because)

    def disown(self) -> None:
        """Close the descriptors in a forked child: the connection and its thread belong to the parent."""
        self._lock, self._send_lock = threading.Lock(), threading.Lock()
        self._no_answer = not_here("The connection to the interchange")
        self._tasks.disown(errors.CommandClientBadError(self._no_answer))
        if not self._is_over:
            self._close_descriptors()

    def _close_descriptors(self) -> None:
        self._is_over = True
        self._poller.close()
        self._stream.sock.close()
        self._wakeup.close()

    def _wake(self) -> None:
        with self._lock:
            # Another file may have the descriptor's number after the thread has ended and closed it.
            if not self._is_over:
                self._notify()

    def _flush(self) -> None:
        with self._send_lock:
            batch = self._tasks.take_unsent()
            if batch.tasks:
                self._stream.queue([encode(protocol.Tasks(batch.tasks, batch.functions)), *batch.frames])
            controls = []
            while self._controls:
                controls.append(self._controls.popleft())
                self._stream.queue(controls[-1:])
            try:
                is_done = self._stream.flush()
            except OSError:
                # The interchange is gone, as the I/O thread is about to see. Its replacement needs these.
                self._controls.extendleft(reversed(controls))
                return
        if not is_done:
            self._watch_output(True)

    def _watch_output(self, is_watching: bool) -> None:
        events = READABLE | (WRITABLE if is_watching else 0)
        try:
            self._poller.modify(self._stream.fileno(), events)
        except (OSError, ValueError):
            pass  # closed in the meantime

    # The I/O thread

    def _run(self) -> None:
        try:
            while self._tasks.refusal is None:
                try:
                    self._handle_io()
                except EOFError:
                    if not self._replace_interchange():
                        self._give_up()
        except BaseException as error:
            logger.critical("The I/O thread of an executor has failed", exc_info=True)
            self._fail(ThreadLost(self._thread.name, "sends tasks and reads results", error))
        finally:
            with self._send_lock, self._lock:
                self._close_descriptors()
            for _, answer in list(self._requests.values()):
                settle(answer, None, errors.CommandClientBadError(self._no_answer))

    def _handle_io(self) -> None:
        wake_fd = self._wakeup.fd
        for fd, event in self._poller.poll():
            if fd == wake_fd:
                self._wakeup.clear()
                self._flush()
                continue
            if event & WRITABLE:
                self._watch_output(False)
                self._flush()
            if event & ~WRITABLE:
                for frames in self._stream.receive():
                    message = decode_to_driver(frames[0])
                    if isinstance(message, protocol.Results):
                        together(self._complete, message.results, frames)
                    elif isinstance(message, Answer) and message.number:
                        if message.number in self._requests:
                            settle(self._requests[message.number][1], message, None)
                    else:
                        self._owner.handle_event(message)

    def _complete(self, results: list[Result], frames: list[Any]) -> None:
        failed = self._tasks.complete(results, frames)
        if failed:
            self._owner.handle_failures(failed)

    def _replace_interchange(self) -> bool:
        """Send all tasks that have not ended to a replacement of the lost interchange, if there is one."""
        sock = None if self._tasks.refusal is not None else self._owner.replace_interchange()
        if sock is None:
            return False
        with self._send_lock:
            with self._lock:
                self._poller.unregister(self._stream.fileno())
                self._stream.sock.close()
                self._stream = stream = MessageStream(sock)
                self._poller.register(stream.fileno(), READABLE)
            for message in self._owner.opening_messages(is_replacement=True):
                stream.queue([message])
            for batch in self._tasks.take_all():
                stream.queue([encode(protocol.Tasks(batch.tasks, batch.functions)), *batch.frames])
            for request in (protocol.Restored(), *(query for query, _ in list(self._requests.values()))):
                stream.queue([encode(request)])
        self._flush()
        return True

    def _give_up(self) -> None:
        """Fail all tasks, and those submitted until the reason is known; accept no more."""
        if self._tasks.refusal is not None:
            return
        self._owner.handle_loss(None)
        if self._tasks.refuse(errors.InterchangeLost("The interchange is gone, and accepts no more tasks.")):
            self._owner.handle_loss(None)  # for the tasks that were submitted in between

    def _fail(self, error: ThreadLost) -> None:
        try:
            if self._tasks.refuse(error):
                self._owner.handle_loss(error)
        finally:
            self._tasks.fail_all(error)


class TaskSender:
    """Numbers tasks, pickles them, and decides how their payloads travel. Any thread may call it."""

    def __init__(self, tasks: TaskTable, connection: Connection, endpoints: Endpoints) -> None:
        self._tasks = tasks
        self._connection = connection
        self._endpoints = endpoints
        self._numbers = itertools.count(1)
        self._functions = FunctionCache()

    @property
    def count(self) -> int:
        """The number of tasks so far."""
        # An itertools.count shows its next number only here. A number kept elsewhere would cost every task.
        return int(repr(self._numbers)[len("count(") : -1]) - 1

    def send_call(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        requirements: Requirements | None,
    ) -> HTEXFuture:
        """Send a call of a function. The body of a function that is called often is sent once per worker."""
        function = self._functions.lookup(func)
        payload, buffers = (dump_call if function is None else dump_arguments)(func, args, kwargs)
        return self._send(function, payload, buffers, requirements)

    def send_payload(self, payload: bytes, requirements: Requirements | None) -> HTEXFuture:
        return self._send(None, payload, [], requirements)

    def _send(
        self,
        function: NamedFunction | None,
        payload: bytes,
        buffers: list[Any],
        requirements: Requirements | None,
    ) -> HTEXFuture:
        number = next(self._numbers)
        task = Task(number, b"" if function is None else function.name, payload)
        if requirements is not None:
            task.priority, task.walltime_s, task.runtime_s, task.resources = requirements
        frames: list[Any] = []
        if buffers or len(payload) > protocol.INLINE_LIMIT:
            frames = self._move_payload(task, [payload, *buffers])
        future = HTEXFuture(number, self._connection)
        if self._tasks.add(future, task, frames, function):
            self._connection.send_tasks()
        return future

    def _move_payload(self, task: Task, pieces: list[Any]) -> list[Any]:
        """Move a large payload to the arena, to the spool or to frames, and return the frames."""
        task.payload = b""
        directory = self._endpoints.spool
        if self._endpoints.arena is not None and len(pieces) == 1 and len(pieces[0]) <= arena.MAX_BYTES:
            task.place = self._endpoints.arena.put(task.id, pieces[0])
            if task.place is not None:
                return []
        sizes = tuple(memoryview(piece).nbytes for piece in pieces)
        is_spoolable = directory and sum(sizes) >= spool.SPOOL_LIMIT
        if is_spoolable and spool.write(spool.task_file(directory, task.id), pieces):
            task.spooled = sizes
            return []
        task.sizes = sizes
        return pieces
