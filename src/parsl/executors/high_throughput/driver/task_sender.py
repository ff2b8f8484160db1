"""Making a task of a call, and handing it to the client."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from parsl.executors.high_throughput.driver.client import HTEXFuture
from parsl.executors.high_throughput.driver.engine import Engine
from parsl.executors.high_throughput.wire import spool
from parsl.executors.high_throughput.wire.arena import MAX_BYTES
from parsl.executors.high_throughput.wire.protocol import INLINE_LIMIT, Task
from parsl.executors.high_throughput.wire.spool import SPOOL_LIMIT
from parsl.serialize.functions import FunctionCache
from parsl.serialize.payloads import dump_arguments, dump_call


class TaskSender:
    """Numbers tasks, pickles them, and decides how their payloads travel. Any thread may call it.

    Args:
        engine: what has the client, and the directory for large payloads.
        ask: puts what a task asks for, its resource specification, into it.
    """

    def __init__(self, engine: Engine, ask: Callable[[Task, dict[str, Any]], None]) -> None:
        self._engine = engine
        self._ask = ask
        self._numbers = itertools.count(1)
        self._functions = FunctionCache()

    def __repr__(self) -> str:
        return f"<TaskSender pending={len(self._engine.client.pending)}>"

    def send_call(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        resources: dict[str, Any],
    ) -> HTEXFuture:
        """Send a call of a function; one that is sent often travels once for each worker.

        Raises: SerializationError.
        """
        named = self._functions.lookup(func)
        if named is None:
            payload, buffers = dump_call(func, args, kwargs)
            return self._send(None, b"", payload, buffers, resources)
        payload, buffers = dump_arguments(func, args, kwargs)
        return self._send(named, named.name, payload, buffers, resources)

    def send_payload(self, payload: bytes, resources: dict[str, Any]) -> HTEXFuture:
        """Send a call that is pickled already."""
        return self._send(None, b"", payload, [], resources)

    def _send(
        self, named: Any, name: bytes, payload: bytes, buffers: list[Any], resources: dict[str, Any]
    ) -> HTEXFuture:
        number = next(self._numbers)
        task = Task(number, name, payload)
        if resources:
            self._ask(task, resources)
        frames: list[Any] = []
        if buffers or len(payload) > INLINE_LIMIT:
            frames = self._load_apart(task, [payload, *buffers])
        client = self._engine.client
        future = HTEXFuture(number, client)
        client.submit(future, task, frames, named)
        return future

    def _load_apart(self, task: Task, pieces: list[Any]) -> list[Any]:
        """Have a large payload travel apart from its task. Returns: the frames to send along with it."""
        task.payload = b""
        arena = self._engine.endpoints.arena
        if arena is not None and len(pieces) == 1 and len(pieces[0]) <= MAX_BYTES:
            task.place = arena.put(task.id, pieces[0])
            if task.place is not None:
                return []
        sizes = tuple(memoryview(piece).nbytes for piece in pieces)
        if (
            sum(sizes) >= SPOOL_LIMIT
            and (directory := self._engine.endpoints.spool)
            and spool.write(spool.task_file(directory, task.id), pieces)
        ):
            task.spooled = sizes
            return []
        task.sizes = sizes
        return pieces
