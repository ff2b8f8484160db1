"""The process of a TaskVine factory, which starts workers and ends them."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable

from parsl.common.threads import join
from parsl.executors.taskvine.factory_config import TaskVineFactoryConfig

#: How long a factory may take to end its workers, in seconds.
STOP_LIMIT_S = 10.0


def factory_command(config: TaskVineFactoryConfig, scratch_dir: str) -> list[str]:
    """Return the command of a factory.

    Args:
        config: Its configuration, with the manager's address or name.
        scratch_dir: Where it keeps its files.
    """
    options: dict[str, object] = {
        "--batch-type": config.batch_type,
        "--min-workers": config.min_workers,
        "--max-workers": config.max_workers,
        "--workers-per-cycle": config.workers_per_cycle,
        "--timeout": config.worker_timeout,
        "--factory-timeout": config.factory_timeout,
        "--scratch-dir": scratch_dir,
        "--extra-options": config.worker_options,
        "--worker-binary": None if config.worker_executable == "vine_worker" else config.worker_executable,
        "--cores": config.cores,
        "--gpus": config.gpus,
        "--memory": config.memory,
        "--disk": config.disk,
        "--poncho-env": config.python_env,
        "--condor-requirements": config.condor_requirements,
        "--batch-options": config.batch_options,
        "--password": config._project_password_file,
    }
    command = ["vine_factory", "--parent-death"]
    command += [f"{name}={value}" for name, value in options.items() if value is not None]
    if config._project_name:
        return [*command, f"--manager-name={config._project_name}"]
    return [*command, str(config._project_address), str(config._project_port)]


class Factory:
    """A running factory. A thread waits for its end.

    Args:
        command: The command.
        log: The file for what it prints.
        lost: Called with the reason when the factory has ended without :meth:`stop`, in that thread.

    Raises:
        OSError: The command cannot be started.
    """

    def __init__(self, command: list[str], log: str, lost: Callable[[str], None]) -> None:
        self._log = log
        self._lost = lost
        self._is_stopping = False
        with open(log, "ab") as output:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        self._watcher = threading.Thread(target=self._watch, name="parsl-vine-factory", daemon=True)
        self._watcher.start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def _watch(self) -> None:
        code = self._process.wait()
        if not self._is_stopping:
            self._lost(f"vine_factory has ended with exit code {code}; its log is {self._log}")

    def stop(self) -> None:
        """End the factory and its workers."""
        self._is_stopping = True
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        if not join(self._watcher, STOP_LIMIT_S):
            os.killpg(self._process.pid, signal.SIGKILL)
            join(self._watcher)
