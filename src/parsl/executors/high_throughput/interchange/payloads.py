"""Functions and frames that the interchange passes on without opening them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from parsl.executors.high_throughput.interchange.manager import Manager
from parsl.executors.high_throughput.wire.protocol import Result, Task, Tasks, encode


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
        functions = {
            function: self._functions[function]
            for function in manager.missing_functions(tasks)
            if function in self._functions
        }
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
