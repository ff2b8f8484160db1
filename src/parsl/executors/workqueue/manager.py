"""Work Queue's library, in the manager process. Standard library only."""

from __future__ import annotations

import importlib
import os
import socket
from typing import Any

from parsl.executors.cctools.engine_loop import EngineLoop
from parsl.executors.cctools.sockets import DebugLog, make_wait_return

_RESULT = "WORK_QUEUE_RESULT_"
#: The bits of a result that stand for a missing input, output and standard output.
_MISSING_BITS = (1, 2, 4)
_SHOWN_CHARS = 4000
#: After this time without a message the library checks whether a worker is there, and waits that long for the
#: answer, in seconds. A worker that is killed can leave its task behind, which keeps the connection open.
_KEEPALIVE_S = 30
#: By how much the priority of each task is below that of the one before: less than users' numbers differ.
_NEXT_TASK = 1e-9
#: How long the library waits at most if it cannot return at once, in seconds. It knows whole seconds only.
_SHORT_WAIT_S = 1


class WorkQueueEngine:
    """One queue of Work Queue, with its tasks by Parsl's numbers.

    Args:
        module: The name of the library's module.
    """

    def __init__(self, module: str) -> None:
        self._library = importlib.import_module(module)
        self.log: DebugLog | None = None
        self._settings: dict[str, Any] = {}
        self._tasks: dict[int, Any] = {}
        self._abandoned: list[int] = []
        self._categories: set[str] = set()
        names = [name for name in dir(self._library) if name.startswith(_RESULT)]
        self._results = {getattr(self._library, name): name.removeprefix(_RESULT) for name in names}

    def open(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Create the queue."""
        library, self._settings = self._library, settings
        log_path = settings["debug_log"]
        log = DebugLog(log_path, is_kept=settings["full_debug"])
        library.cctools_debug_flags_set("all" if settings["full_debug"] else "wq")
        library.cctools_debug_config_file_size(0)  # never start another file
        library.cctools_debug_config_file(log_path)
        queue = self._queue = library.WorkQueue(port=settings["port"], name=settings["project_name"])
        if make_wait_return(_extension(library), "work_queue_enable_process_module", queue._work_queue):
            self.log = log
        queue.specify_keepalive_interval(_KEEPALIVE_S)
        queue.specify_keepalive_timeout(_KEEPALIVE_S)
        if settings["password_file"] and not queue.specify_password_file(settings["password_file"]):
            raise ValueError(f"cannot read the password file {settings['password_file']}")
        if settings["transactions_log"]:
            queue.specify_transactions_log(settings["transactions_log"])
        if settings["autolabel"]:
            self._measure(settings)
        return {"port": queue.port}

    def _measure(self, settings: dict[str, Any]) -> None:
        if not self._queue.enable_monitoring(settings["monitor_dir"]):
            raise ValueError("autolabel=True needs the program resource_monitor of the CCTools on the PATH")
        self._queue.tune("category-steady-n-tasks", settings["autolabel_window"])

    def submit(self, order: dict[str, Any]) -> None:
        """Submit a task."""
        task = self._library.Task(order["command"])
        task.specify_tag(str(order["number"]))
        self._classify(task, order["category"])
        for name, amount in order["resources"].items():
            if amount is not None:
                getattr(task, f"specify_{name}")(_whole(amount))
        # The library starts the last of equal tasks first.
        task.specify_priority((order["priority"] or 0) - order["number"] * _NEXT_TASK)
        if order["running_time_min"] is not None:
            task.specify_running_time_min(_whole(order["running_time_min"]))
        if self._settings["max_retries"] is not None:
            task.specify_max_retries(self._settings["max_retries"])
        for name, value in self._settings["env"].items():
            task.specify_environment_variable(name, value)
        self._add_files(task, order)
        self._queue.submit(task)
        self._tasks[order["number"]] = task

    def _classify(self, task: Any, category: str) -> None:
        task.specify_category(category)
        if self._settings["autolabel"] and category not in self._categories:
            self._categories.add(category)
            mode = self._library.WORK_QUEUE_ALLOCATION_MODE_MAX_THROUGHPUT
            self._queue.specify_category_mode(category, mode)

    def _add_files(self, task: Any, order: dict[str, Any]) -> None:
        for local, remote, is_cached in order["inputs"]:
            if os.path.isdir(local):
                kind = self._library.WORK_QUEUE_INPUT
                task.specify_directory(local, remote, kind, recursive=True, cache=is_cached)
            else:
                task.specify_input_file(local, remote, cache=is_cached)
        for local, remote in order["outputs"]:
            task.specify_output_file(local, remote, cache=False)

    def cancel(self, number: int) -> None:
        """Cancel a task: remove it from the queue, or end it on its worker."""
        task = self._tasks.pop(number, None)
        if task is not None:
            self._queue.cancel_by_taskid(task.id)
            self._queue._task_table.pop(task.id, None)  # some versions of the library forget this

    def wait(self) -> tuple[int, dict[str, Any]] | None:
        """Let the library work. Return a task that has ended, by its number, and how; None if none has."""
        if self.log is not None and self.log.has_loss:
            self.log.has_loss = False
            self._abandoned += self._find_abandoned()
        if self._abandoned:
            number = self._abandoned.pop()
            self.cancel(number)
            return number, {"result": ["MAX_RETRIES"]}
        limit = self._library.WORK_QUEUE_WAITFORTASK if self.log is not None else _SHORT_WAIT_S
        task = self._queue.wait(limit)
        if task is None:
            return None
        number = int(task.tag)
        self._tasks.pop(number, None)
        return number, {
            "result": self._names(task.result),
            "status": task.return_status,
            "host": task.hostname,
            "output": (task.output or "")[-_SHOWN_CHARS:],
        }

    def _find_abandoned(self) -> list[int]:
        """Return the tasks whose worker was lost, and that were started often enough.

        The library itself would start each once more than it should.
        """
        limit = self._settings["max_retries"]
        if limit is None:
            return []
        waiting = self._library.WORK_QUEUE_TASK_READY
        tries = {number: task._task.try_count for number, task in self._tasks.items()}
        return [
            number
            for number, count in tries.items()
            if count > limit or (count == limit and self._queue.task_state(self._tasks[number].id) == waiting)
        ]

    def _names(self, result: int) -> list[str]:
        """Return the names of a result; none for success. Missing files are bits next to a reason."""
        parts = [result & bit for bit in _MISSING_BITS] + [result & ~sum(_MISSING_BITS)]
        return [self._results.get(part, f"RESULT_{part}") for part in parts if part]

    def workers(self) -> list[dict[str, int]]:
        """Return what the connected workers have."""
        return self._queue.workers_summary()  # type: ignore[no-any-return]

    def close(self) -> None:
        """Release the workers, and delete the queue."""
        self._queue.shutdown_workers(0)
        self._queue._free_queue()


def _extension(library: Any) -> str:
    """Return the path of the library's extension module: ``_work_queue``, or ``cwork_queue`` of a package."""
    for name in ("_work_queue", "_cwork_queue"):
        for module in (name, f"{library.__name__.rpartition('.')[0]}.{name}"):
            try:
                return str(importlib.import_module(module).__file__)
            except (ImportError, ValueError):
                continue
    return ""


def _whole(amount: float) -> int:
    """Return an amount as a whole number; the library accepts no other."""
    return -int(-amount // 1)


def main(module: str, descriptor: str) -> None:
    """Run the manager process: the library of this name, and the socket of this descriptor."""
    with socket.socket(fileno=int(descriptor)) as driver:
        driver.set_inheritable(False)  # what the library starts would keep the connection open
        EngineLoop(WorkQueueEngine(module), driver).run()
