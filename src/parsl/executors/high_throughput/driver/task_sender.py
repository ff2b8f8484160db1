"""Turns calls into tasks, and adds them to the table of tasks."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from parsl.executors.high_throughput.driver.connection import Connection
from parsl.executors.high_throughput.driver.endpoints import Endpoints
from parsl.executors.high_throughput.driver.resource_specification import Requirements
from parsl.executors.high_throughput.driver.tasks import HTEXFuture, TaskTable
from parsl.executors.high_throughput.wire import spool
from parsl.executors.high_throughput.wire.arena import MAX_BYTES
from parsl.executors.high_throughput.wire.protocol import INLINE_LIMIT, Task
from parsl.executors.high_throughput.wire.spool import SPOOL_LIMIT
from parsl.serialize.functions import FunctionCache, NamedFunction
from parsl.serialize.payloads import dump_arguments, dump_call


class TaskSender:
    """Numbers tasks, pickles them, and decides how their payloads travel. Any thread may call it."""

    def __init__(self, tasks: TaskTable, connection: Connection, endpoints: Endpoints) -> None:
        self._tasks = tasks
        self._connection = connection
        self._endpoints = endpoints
        self._numbers = itertools.count(1)
        self._functions = FunctionCache()

    def __repr__(self) -> str:
        return f"<TaskSender of {self._tasks!r}>"

    def send_call(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        requirements: Requirements | None,
    ) -> HTEXFuture:
        """Send a call of a function. The body of a function that is called often is sent once per worker."""
        function = self._functions.lookup(func)
        if function is None:
            payload, buffers = dump_call(func, args, kwargs)
            return self._send(None, b"", payload, buffers, requirements)
        payload, buffers = dump_arguments(func, args, kwargs)
        return self._send(function, function.name, payload, buffers, requirements)

    def send_payload(self, payload: bytes, requirements: Requirements | None) -> HTEXFuture:
        """Send a call that is already pickled."""
        return self._send(None, b"", payload, [], requirements)

    def _send(
        self,
        function: NamedFunction | None,
        name: bytes,
        payload: bytes,
        buffers: list[Any],
        requirements: Requirements | None,
    ) -> HTEXFuture:
        number = next(self._numbers)
        task = Task(number, name, payload)
        if requirements is not None:
            task.priority, task.walltime_s, task.runtime_s, task.resources = requirements
        frames: list[Any] = []
        if buffers or len(payload) > INLINE_LIMIT:
            frames = self._move_payload(task, [payload, *buffers])
        future = HTEXFuture(number, self._connection)
        if self._tasks.add(future, task, frames, function):
            self._connection.send_tasks()
        return future

    def _move_payload(self, task: Task, pieces: list[Any]) -> list[Any]:
        """Move a large payload to the arena, to the spool or to frames, and return the frames."""
        task.payload = b""
        arena, directory = self._endpoints.arena, self._endpoints.spool
        if arena is not None and len(pieces) == 1 and len(pieces[0]) <= MAX_BYTES:
            task.place = arena.put(task.id, pieces[0])
            if task.place is not None:
                return []
        sizes = tuple(memoryview(piece).nbytes for piece in pieces)
        is_spoolable = directory and sum(sizes) >= SPOOL_LIMIT
        if is_spoolable and spool.write(spool.task_file(directory, task.id), pieces):
            task.spooled = sizes
            return []
        task.sizes = sizes
        return pieces
