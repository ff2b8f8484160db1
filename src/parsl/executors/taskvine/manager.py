"""TaskVine's library, in the manager process. Standard library only."""

from __future__ import annotations

import importlib
import os
import socket
from collections import Counter, deque
from typing import Any

from parsl.executors.cctools.engine_loop import EngineLoop
from parsl.executors.cctools.sockets import DebugLog, keep_one_log, make_wait_return
from parsl.executors.cctools.task_script import NO_PARSL

_SHOWN_CHARS = 4000
#: How long the library waits at most if it cannot return at once, in seconds. It knows whole seconds only.
_SHORT_WAIT_S = 1
#: The modes of the library for each algorithm of labels.
_MODES = {"max-xput": "max throughput", "bucketing": "greedy bucketing", "max": "max"}
_KEEPALIVE_S = 30
#: The library's name for function servers: function_server.NAME, a module that this Python may not import.
_SERVER = "parsl"
#: What a function server prints when it is ready.
READY_LINE = "The function server of Parsl is ready."
#: What the library logs when one has ended, with the address of its worker.
_SERVER_FAILED = rf"Library {_SERVER} failed on worker \S+ \((?P<worker>[^)]+)\)"
_WORKER_LOST = r"Task (?P<task>\d+) state change: RUNNING \(\d+\) to READY"
#: The state of a task that a worker runs.
_RUNNING = "RUNNING"


class TaskVineEngine:
    """One manager of TaskVine, with its tasks by Parsl's numbers.

    Args:
        module: The name of the library's module.
    """

    def __init__(self, module: str) -> None:
        self._library = importlib.import_module(module)
        self.log: DebugLog | None = None
        self._settings: dict[str, Any] = {}
        self._tasks: dict[int, tuple[Any, list[Any]]] = {}
        self._shared: dict[str, Any] = {}
        self._categories: set[str] = set()
        self._failed: deque[tuple[int, dict[str, Any]]] = deque()
        #: How many workers each task has lost.
        self._losses: Counter[int] = Counter()
        #: Whether a call has ended since the start, or since a function server has failed.
        self._has_served = False

    def open(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Create the manager."""
        self._settings = settings
        manager = self._manager = self._library.Manager(
            port=settings["port"], name=settings["project_name"], run_info_path=settings["log_dir"]
        )
        self._watch_log()
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
        if settings["function_server"] is not None:
            self._install_server(settings["function_server"])
        return {"port": manager.port}

    def _install_server(self, server: dict[str, Any]) -> None:
        """Have each worker start a function server."""
        if self.log is None:
            raise ValueError("serverless functions need a library with vine_manager_enable_process_shortcut")
        self._manager.tune("watch-library-logfiles", 1)  # what a server prints explains its failure
        task = self._library.LibraryTask(server["command"], _SERVER)
        for name, amount in server["resources"].items():
            getattr(task, f"set_{name}")(amount)
        for name, value in self._settings["env"].items():
            task.set_env_var(name, value)
        self._add_inputs(task, server["inputs"])
        task.set_function_exec_mode_from_string("fork")
        self._manager.install_library(task)

    def _watch_log(self) -> None:
        """Let the library return at once, and read its debug log, which it always writes."""
        path = str(importlib.import_module(f"{self._library.__name__}._cvine").__file__)
        if make_wait_return(path, "vine_manager_enable_process_shortcut", self._manager._taskvine):
            keep_one_log(path)
            log = os.path.join(self._manager.logging_directory, "debug")
            self.log = DebugLog(log, is_kept=True, alarm=f"{_SERVER_FAILED}|{_WORKER_LOST}")

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
        if self._settings["function_server"] is not None:
            task.set_library_required(_SERVER)
        else:
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
        own = self._add_inputs(task, order["inputs"])
        for local, remote in order["outputs"]:
            os.makedirs(os.path.dirname(local), exist_ok=True)
            own.append(self._manager.declare_file(local))
            task.add_output(own[-1], remote)
        return own

    def _add_inputs(self, task: Any, inputs: list[tuple[str, str, bool]]) -> list[Any]:
        own = []
        for local, remote, is_cached in inputs:
            if is_cached:
                file = self._shared.get(local)
                if file is None:
                    file = self._shared[local] = self._manager.declare_file(local, cache="workflow")
            else:
                file = self._manager.declare_file(local)
                own.append(file)
            task.add_input(file, remote)
        return own

    def cancel(self, number: int) -> None:
        """Cancel a task: remove it from the queue, or end it on its worker. It is returned later."""
        self._losses.pop(number, None)
        if number in self._tasks:
            self._manager.cancel_by_task_id(self._tasks[number][0].id)

    def wait(self) -> tuple[int, dict[str, Any]] | None:
        """Let the library work. Return a task that has ended, by its number, and how; None if none has."""
        self._look_for_losses()
        if self._failed:
            number, facts = self._failed.popleft()
            self.cancel(number)
            return number, facts
        task = self._manager.wait(_SHORT_WAIT_S if self.log is None else "wait_forever")
        if task is None:
            return None
        number, result = int(task.tag), task.result.upper().replace(" ", "_")
        _, files = self._tasks.pop(number, (None, []))
        self._losses.pop(number, None)
        for file in files:
            self._manager.undeclare_file(file)
        if result == "FORSAKEN" and self._has_failed_server():
            return number, self._facts_of_server()
        self._has_served |= result == "SUCCESS"
        return number, {
            "result": [] if result == "SUCCESS" else [result],
            "status": task.exit_code,
            "host": task.hostname,
            "output": (task.output or "")[-_SHOWN_CHARS:],
        }

    def _look_for_losses(self) -> None:
        """Read the log, and note the tasks that fail because workers or function servers were lost."""
        alarms = [] if self.log is None else self.log.find_alarms()
        if not alarms:
            return
        self._fail_abandoned(Counter(int(text) for kind, text in alarms if kind == "task"))
        if workers := [text for kind, text in alarms if kind == "worker"]:
            self._handle_failed_servers(workers)

    def _fail_abandoned(self, lost: Counter[int]) -> None:
        """Count the lost workers of tasks, by the library's ids; fail those that have reached `max_retries`.

        The library itself would start each once more than it should.
        """
        limit = self._settings["max_retries"]
        if not lost or limit is None:
            return
        for number, (task, _) in self._tasks.items():
            if (losses := lost[task.id]) > 0:
                self._losses[number] += losses
                if self._losses[number] >= limit:
                    self._failed.append((number, {"result": ["MAX_RETRIES"]}))

    def _handle_failed_servers(self, workers: list[str]) -> None:
        """Find calls that would wait for ever, or run once more, because function servers have failed."""
        if self._has_served or READY_LINE in self._end_of_server_log():
            facts: dict[str, Any] = {"result": ["FORSAKEN"]}
            lost = [
                number
                for number, (task, _) in self._tasks.items()
                if task.state == _RUNNING and task.addrport in workers
            ]
        else:
            facts, lost = self._facts_of_server(), list(self._tasks)
        self._failed += [(number, facts) for number in lost]
        self._has_served = False
        if not self._manager.check_library_exists(_SERVER):
            self._install_server(self._settings["function_server"])

    def _has_failed_server(self) -> bool:
        """Return whether a function server has ended before it was ready, and no call has ended yet."""
        if self._settings["function_server"] is None or self._has_served:
            return False
        output = self._end_of_server_log()
        return bool(output) and READY_LINE not in output

    def _facts_of_server(self) -> dict[str, Any]:
        output = self._end_of_server_log()
        has_no_parsl = "No module named" in output and "parsl" in output
        return {"result": ["LIBRARY_EXIT"], "status": NO_PARSL if has_no_parsl else 1, "output": output}

    def _end_of_server_log(self) -> str:
        """Return what the function server that was started last has printed."""
        directory = self._manager.library_logging_directory
        paths = [os.path.join(directory, name) for name in os.listdir(directory)]
        if not paths:
            return ""
        with open(max(paths, key=os.path.getmtime), errors="replace") as file:
            return file.read()[-_SHOWN_CHARS:]

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
