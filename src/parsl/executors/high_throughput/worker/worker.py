"""A worker: one process, with a session and a socket to its manager, that runs one task at a time."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from parsl.common.system import MAX_RSS_UNIT_BYTES, bind_to_cpus
from parsl.executors.high_throughput.wire import fork_orders, protocol, spool
from parsl.executors.high_throughput.wire.arena import ArenaReader
from parsl.executors.high_throughput.wire.protocol import (
    DONE,
    INLINE_LIMIT,
    Result,
    Work,
    decode_work,
    encode,
)
from parsl.executors.high_throughput.wire.worker_channel import PACKET_LIMIT, FrameCollector, send_blocking
from parsl.executors.high_throughput.worker.process_ownership import WORKER_TITLE
from parsl.executors.high_throughput.worker.usage_meter import UsageMeter
from parsl.serialize.payloads import NO_ARGUMENTS, Buffer, dump_exception, dump_value, loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from logging import Logger

Function = Callable[..., Any]

#: For the log, by the status of the result.
_OUTCOMES = {
    DONE: "done",
    protocol.RAISED: "raised an exception",
    protocol.FAILED: "cannot start: its arguments are gone",
}


class _ArgumentsGone(Exception):
    """The file with a task's arguments does not exist: another worker has taken it."""


class Worker:
    """Runs tasks from a socket until it is closed. Single-threaded; owned by its process."""

    def __init__(
        self,
        sock: socket.socket,
        spool_directory: str = "",
        log: Logger | None = None,
        place: dict[str, Any] | None = None,
        manager: int = -1,
    ) -> None:
        self._sock = sock
        #: Host, block, manager and rank, for the errors of tasks.
        self._place = place or {}
        self._meter = UsageMeter(manager, self._place.get("worker", -1))
        self._log = log
        self._spool = spool_directory
        self._arena = ArenaReader(spool_directory)
        self._functions: dict[bytes, Function] = {}
        self._buffer = bytearray(PACKET_LIMIT + 4096)

    def __repr__(self) -> str:
        return f"<Worker pid={os.getpid()} functions={len(self._functions)}>"

    def serve(self) -> None:
        view = memoryview(self._buffer)
        while size := self._sock.recv_into(view):
            self._serve_one(decode_work(view[:size]))

    def _serve_one(self, work: Work) -> None:
        # A separate call, so that no object of a task, however large, is kept until the next task arrives.
        head, out = self._run(work, self._receive_frames(work))
        if out:
            send_blocking(self._sock, head, out)
        else:
            self._sock.send(head)

    def _receive_frames(self, work: Work) -> list[bytearray]:
        sizes = work.task.sizes
        if not sizes and not work.body_size:
            return []
        collector = FrameCollector((work.body_size, *sizes) if work.body_size else sizes)
        while not collector.is_complete:
            collector.receive(self._sock)
        return collector.frames

    def _run(self, work: Work, frames: list[bytearray]) -> tuple[bytes, list[Buffer]]:
        task = work.task
        if self._log is not None:
            self._log.debug("task %d starts", task.id)
        self._meter.start()
        out: list[Buffer] = []
        try:
            if work.environment is None:
                value = self._call(work, frames)
            else:
                value = self._call_in(work.environment, work, frames)
            status = DONE
            payload, out = dump_value(value)
        except SystemExit as error:
            _exit(error)
        except _ArgumentsGone:
            status, payload = protocol.FAILED, self._arguments_gone()
        except BaseException as error:
            status = protocol.RAISED
            facts = {**self._place, **_usage(), "ran_s": self._meter.elapsed_s()}
            from parsl.vocabulary.app_errors import task_failure

            failure = task_failure(error.with_traceback(_user_traceback(error)))
            payload = dump_exception(failure, facts)
        if self._log is not None:
            how = _OUTCOMES[status]
            self._log.debug("task %d %s after %.6f s", task.id, how, self._meter.elapsed_s())
        if not out and len(payload) <= INLINE_LIMIT:
            return encode(Result(task.id, status, payload, (), (), self._meter.stop())), []
        return self._pack_large(task.id, status, [payload, *out])

    def _pack_large(self, task_id: int, status: int, out: list[Buffer]) -> tuple[bytes, list[Buffer]]:
        sizes = tuple(memoryview(frame).nbytes for frame in out)
        path = spool.result_file(self._spool, task_id)
        if self._spool and sum(sizes) >= spool.SPOOL_LIMIT and spool.write(path, out):
            return encode(Result(task_id, status, b"", (), sizes, self._meter.stop())), []
        return encode(Result(task_id, status, b"", sizes, (), self._meter.stop())), out

    def _call_in(self, environment: dict[str, str], work: Work, frames: list[bytearray]) -> Any:
        """Call with variables that exist as long as the task runs."""
        before = {name: os.environ.get(name) for name in environment}
        os.environ.update(environment)
        try:
            return self._call(work, frames)
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value

    def _call(self, work: Work, frames: list[bytearray]) -> Any:
        task = work.task
        body: Buffer | None = work.body
        if work.body_size:
            body, frames = frames[0], frames[1:]
        if not task.function:
            function, args, kwargs = self._load_arguments(task, frames)
            return function(*args, **kwargs)
        known = self._functions.get(task.function)
        if known is None:
            known = self._functions[task.function] = _load_function(body)
        if task.payload == NO_ARGUMENTS:
            return known()
        args, kwargs = self._load_arguments(task, frames)
        return known(*args, **kwargs)

    def _load_arguments(self, task: protocol.Task, frames: list[Any]) -> Any:
        try:
            if task.place is not None:
                return self._arena.read(task.id, task.place, loads)
            if task.spooled:
                frames = self._take_file(task)
            return loads(frames[0], frames[1:]) if frames else loads(task.payload)
        except _ArgumentsGone:
            raise
        except Exception as error:
            raise _not_unpickled("function or arguments", error) from error

    def _take_file(self, task: protocol.Task) -> list[Any]:
        try:
            return list(spool.read(spool.task_file(self._spool, task.id), task.spooled))
        except FileNotFoundError:
            raise _ArgumentsGone from None

    def _arguments_gone(self) -> bytes:
        """Explain why a task cannot start: only the worker that runs a task takes its file."""
        message = (
            "The file in memory with the task's arguments is gone. Either it was removed from "
            f"{self._spool} (perhaps by a clean-up at the end of a job), or the task had been started by a "
            "worker that was lost together with the interchange, and how far it had come is unknown."
        )
        return encode(protocol.Failure(protocol.MANAGER_LOST, message, host=self._place.get("host", "")))


def _load_function(body: Buffer | None) -> Function:
    if body is None:
        from parsl.serialize.errors import DeserializationError

        raise DeserializationError("the task names a function that was never sent to this worker")
    try:
        return loads(body)  # type: ignore[no-any-return]
    except Exception as error:
        raise _not_unpickled("function", error) from error


def _not_unpickled(part: str, error: Exception) -> Exception:
    from parsl.serialize.errors import DeserializationError

    reason = f"{type(error).__name__}: {error}"
    return DeserializationError(f"the task's {part} cannot be unpickled on the worker: {reason}")


def _usage() -> dict[str, Any]:
    from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

    peak = max(getrusage(who).ru_maxrss for who in (RUSAGE_SELF, RUSAGE_CHILDREN))
    return {"pid": os.getpid(), "peak_memory": peak * MAX_RSS_UNIT_BYTES}


def _place_of(order: fork_orders.Fork) -> dict[str, Any]:
    environment = order.environment
    return {
        "host": os.uname().nodename,
        "block": environment.get("PARSL_WORKER_BLOCK_ID"),
        "manager": environment.get("PARSL_WORKER_POOL_ID"),
        "worker": order.rank,
    }


def _user_traceback(error: BaseException) -> Any:
    """Return the part of the traceback below the worker's own code; all of it if there is no such part."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return trace if trace is not None else error.__traceback__


def _exit(error: SystemExit) -> None:
    """End the worker as sys.exit, called by the task, requests; the manager reports it."""
    code = error.code
    if code is not None and not isinstance(code, int):
        sys.stderr.write(f"{code}\n")
        code = 1
    _flush()
    os._exit((code or 0) & 0xFF)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()


def run_worker(sock: socket.socket, order: fork_orders.Fork) -> None:
    """Run a worker process, from just after the fork. Never returns."""
    code = 1
    try:
        _prepare(sock, order)
        Worker(sock, order.spool, _start_log(order), _place_of(order), order.manager).serve()
        code = 0
    except (BrokenPipeError, ConnectionResetError, EOFError):
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        _flush()
        os._exit(code)


def _start_log(order: fork_orders.Fork) -> Logger | None:
    """Open the worker's own log, and return its logger if every task is to have lines in it."""
    if not order.log_file:
        return None
    import logging

    from parsl.logconfigs.roles import start_role_log

    name = "parsl.htex.worker"
    start_role_log(order.log_file, is_debug=True, log_config=order.log_config, logger_name=name)
    log = logging.getLogger(name)
    log.info("worker %d starts, pid %d", order.rank, os.getpid())
    return log if order.debug else None


def _prepare(sock: socket.socket, order: fork_orders.Fork) -> None:
    """Set signals, affinity and environment before any of the user's modules is imported."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])  # the fork server blocks it
    os.environ.update(order.environment)
    if order.cpus and not bind_to_cpus(order.cpus):
        sys.stderr.write("cpu_affinity has no effect: this system cannot bind processes to CPUs\n")
    from parsl.common.processes import setproctitle

    setproctitle(f"{WORKER_TITLE}{order.rank}")
    sock.setblocking(True)
    os.set_inheritable(sock.fileno(), False)
