"""The executors of a kernel."""

from __future__ import annotations

import errno
import sys
import threading
from logging import getLogger

from parsl.dataflow.run.executor_choice import INTERNAL_LABEL, choose_executor
from parsl.dataflow.run.exit_hook import script_has_failed
from parsl.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from parsl.config import Config
    from parsl.executors.base import ParslExecutor
    from parsl.jobs.job_status_poller import JobStatusPoller

logger = getLogger(__name__)

_POLLER_DEADLINE_S = 10.0

#: How long tasks that cannot be left alone, those in threads, may go on when the script fails, in seconds.
_LIMIT_AFTER_ERROR_S = 2.0


class ExecutorSet:
    """Starts executors, finds one for a task, shuts them down.

    Args:
        config: The configuration of the kernel.
        run_dir: The directory of this run.
        run_id: The identifier of this run.
        log_config: How the processes that executors start are to log; None for not at all.

    Attributes:
        by_label: The executors that have been started.
        poller: What scales their blocks, if there are any that have blocks.
    """

    def __init__(self, config: Config, *, run_dir: str, run_id: str, log_config: Any | None) -> None:
        self._config = config
        self._run_dir = run_dir
        self._run_id = run_id
        self._log_config = log_config
        self._lock = threading.Lock()
        self._public: tuple[str, ...] = ()
        self.by_label: dict[str, ParslExecutor] = {}
        self.poller: JobStatusPoller | None = None

    def add(self, executors: Sequence[ParslExecutor]) -> None:
        """Start some executors and have them take part.

        Raises:
            ConfigurationError: A label is in use; none of them has been started then.
            Exception: One of them cannot start; those started before it stay.
        """
        self._check_labels(executors)
        for executor in executors:
            self._start(executor)
            self._public = (*self._public, executor.label)
        self._scale(executors)

    def choose(self, wanted: str | Sequence[str], app_name: str) -> str:
        """Return the label of the executor for a task.

        Raises:
            ValueError: The app asks for one that there is not.
        """
        if wanted == "all" and len(self._public) == 1:
            return self._public[0]
        return choose_executor(self.by_label, self._public, wanted, app_name)

    def internal(self) -> str:
        """Return the label of the executor of join apps, which starts when it is first needed."""
        if INTERNAL_LABEL not in self.by_label:
            with self._lock:
                if INTERNAL_LABEL not in self.by_label:
                    from parsl.executors.threads import ThreadPoolExecutor

                    max_threads = self._config.internal_tasks_max_threads
                    self._start(ThreadPoolExecutor(label=INTERNAL_LABEL, max_threads=max_threads))
        return INTERNAL_LABEL

    def shut_down(self) -> None:
        """Stop scaling and shut down every executor, whatever one of them raises.

        This waits for tasks in threads; but not for long when the script is failing: whoever presses Ctrl-C
        wants it to end.
        """
        is_urgent = script_has_failed()
        if self.poller is not None:
            if not self.poller.close(_POLLER_DEADLINE_S):
                logger.warning("The job status poller has not ended within %s s", _POLLER_DEADLINE_S)
            self.poller.cancel_queued()
        for executor in list(self.by_label.values()):
            self._shut_down(executor, is_urgent=is_urgent)

    def _shut_down(self, executor: ParslExecutor, *, is_urgent: bool = False) -> None:
        try:
            if is_urgent:
                executor.shutdown_within(_LIMIT_AFTER_ERROR_S)
            else:
                executor.shutdown()
        except Exception:
            logger.exception("Executor %s could not be shut down", executor.label)

    def _start(self, executor: ParslExecutor) -> None:
        executor.run_dir = self._run_dir
        executor.run_id = self._run_id
        executor.log_config = self._log_config
        # Known before it starts, so that a signal handler that cleans up finds it.
        self.by_label[executor.label] = executor
        try:
            executor.start()
        except BaseException as error:
            self.by_label.pop(executor.label, None)
            self._shut_down(executor)
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise ConfigurationError(
                    f"Executor {executor.label!r} cannot start: {error.strerror}. Make room where its files "
                    f"go, in {self._run_dir}, or name another directory, Config(run_dir=...)"
                ) from error
            raise

    def _check_labels(self, executors: Sequence[ParslExecutor]) -> None:
        taken = {INTERNAL_LABEL: "Parsl itself", **dict.fromkeys(self.by_label, "a loaded executor")}
        for executor in executors:
            if executor.label in taken:
                raise ConfigurationError(
                    f"Executors must have unique labels: {executor.label!r} is the label of "
                    f"{taken[executor.label]} already. Give this {type(executor).__name__} another label"
                )
            taken[executor.label] = "another new executor"

    def _scale(self, executors: Sequence[ParslExecutor]) -> None:
        # Nobody can have made an executor with blocks without that module; so it is not imported here.
        module = sys.modules.get("parsl.executors.status_handling")
        if module is None or not any(isinstance(each, module.BlockProviderExecutor) for each in executors):
            return
        if self.poller is None:
            from parsl.jobs.job_status_poller import JobStatusPoller

            self.poller = JobStatusPoller(
                strategy=self._config.strategy,
                strategy_period=self._config.strategy_period,
                max_idletime=self._config.max_idletime,
            )
        self.poller.add_executors(executors)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {', '.join(self.by_label) or 'empty'}>"
