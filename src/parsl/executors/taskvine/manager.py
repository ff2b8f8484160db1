"""TaskVine's library, in the manager process. Standard library only."""

from __future__ import annotations

import importlib
import os
import socket
from typing import Any

from parsl.executors.cctools.engine_loop import EngineLoop
from parsl.executors.cctools.sockets import DebugLog

_SHOWN_CHARS = 4000
#: How long the library waits at most while tasks are out, in seconds. It knows whole seconds only.
_SHORT_WAIT_S = 1
#: The modes of the library for each algorithm of labels.
_MODES = {"max-xput": "max throughput", "bucketing": "greedy bucketing", "max": "max"}
_KEEPALIVE_S = 30


class TaskVineEngine:
    """One manager of TaskVine, with its tasks by Parsl's numbers.

    Args:
        module: The name of the library's module.
    """

    #: The library has no way to return at once: it waits for up to a second.
    log: DebugLog | None = None

    def __init__(self, module: str) -> None:
        self._library = importlib.import_module(module)
        self._settings: dict[str, Any] = {}
        self._tasks: dict[int, tuple[Any, list[Any]]] = {}
        self._shared: dict[str, Any] = {}
        self._categories: set[str] = set()

    def open(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Create the manager."""
        self._settings = settings
        manager = self._manager = self._library.Manager(
            port=settings["port"], name=settings["project_name"], run_info_path=settings["log_dir"]
        )
        manager.set_keepalive_interval(_KEEPALIVE_S)
        manager.set_keepalive_timeout(_KEEPALIVE_S)
        # Returns a false value, and needs no password, if the file cannot be read.
        if settings["password_file"] and not manager.set_password_file(settings["password_file"]):
            raise ValueError(f"cannot read the password file {settings['password_file']}")
        if not settings["enable_peer_transfers"]:
            manager.disable_peer_transfers()
        if settings["autolabel"] and not manager.enable_monitoring():
            raise ValueError("autolabel=True needs the program resource_monitor of the CCTools on the PATH")
        for name, value in settings["tune"].items():
            if manager.tune(name, value) < 0:
                raise ValueError(f"the library has no parameter {name!r} to tune")
        return {"port": manager.port}

    def submit(self, order: dict[str, Any]) -> None:
        """Submit a task."""
        task = self._library.Task(order["command"])
        task.set_tag(str(order["number"]))
        self._classify(task, order["category"])
        for name, amount in order["resources"].items():
            if amount is not None:
                getattr(task, f"set_{name}")(-int(-amount // 1))
        if order["priority"] is not None:
            task.set_priority(order["priority"])
        if order["running_time_min"] is not None:
            task.set_time_min(int(order["running_time_min"]))
        if self._settings["max_retries"] is not None:
            task.set_retries(self._settings["max_retries"])
            # How often it may be returned to the manager because its worker was lost.
            task.set_max_forsaken(self._settings["max_retries"] - 1)
        for name, value in self._settings["env"].items():
            task.set_env_var(name, value)
        files = self._add_files(task, order)
        self._manager.submit(task)
        self._tasks[order["number"]] = task, files

    def _classify(self, task: Any, category: str) -> None:
        task.set_category(category)
        if self._settings["autolabel"] and category not in self._categories:
            self._categories.add(category)
            self._manager.set_category_mode(category, _MODES[self._settings["autolabel_algorithm"]])

    def _add_files(self, task: Any, order: dict[str, Any]) -> list[Any]:
        """Add the task's files; return those that are of no use after it."""
        own = []
        for local, remote, is_cached in order["inputs"]:
            if is_cached:
                file = self._shared.get(local)
                if file is None:
                    file = self._shared[local] = self._manager.declare_file(local, cache="workflow")
            else:
                file = self._manager.declare_file(local)
                own.append(file)
            task.add_input(file, remote)
        for local, remote in order["outputs"]:
            os.makedirs(os.path.dirname(local), exist_ok=True)
            own.append(self._manager.declare_file(local))
            task.add_output(own[-1], remote)
        return own

    def cancel(self, number: int) -> None:
        """Cancel a task: remove it from the queue, or end it on its worker. It is returned later."""
        if number in self._tasks:
            self._manager.cancel_by_task_id(self._tasks[number][0].id)

    def wait(self) -> tuple[int, dict[str, Any]] | None:
        """Let the library work. Return a task that has ended, by its number, and how; None if none has."""
        task = self._manager.wait(_SHORT_WAIT_S)
        if task is None:
            return None
        number, result = int(task.tag), task.result.upper().replace(" ", "_")
        _, files = self._tasks.pop(number, (None, []))
        for file in files:
            self._manager.undeclare_file(file)
        return number, {
            "result": [] if result == "SUCCESS" else [result],
            "status": task.exit_code,
            "host": task.hostname,
            "output": (task.output or "")[-_SHOWN_CHARS:],
        }

    def workers(self) -> list[dict[str, int]]:
        """Return what the connected workers have."""
        return self._manager.summarize_workers()  # type: ignore[no-any-return]

    def close(self) -> None:
        """Release the workers, and delete the manager."""
        self._manager.workers_shutdown(0)
        self._manager._free()


def main(module: str, descriptor: str) -> None:
    """Run the manager process: the library of this name, and the socket of this descriptor."""
    with socket.socket(fileno=int(descriptor)) as driver:
        driver.set_inheritable(False)  # what the library starts would keep the connection open
        EngineLoop(TaskVineEngine(module), driver).run()
