"""The executors of a kernel."""

from __future__ import annotations

import errno
import sys
import threading
from logging import getLogger

from parsl.dataflow.config import Config, check_labels
from parsl.dataflow.run.exit_hook import script_has_failed
from parsl.errors import ConfigurationError
from parsl.executors.base import ParslExecutor
from parsl.vocabulary import INTERNAL_LABEL
from parsl.vocabulary.lean_future import LeanFuture, done_future

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from parsl.dataflow.executor_selection import ExecutorSelection
    from parsl.dataflow.taskrecord import TaskRecord
    from parsl.jobs.job_status_poller import JobStatusPoller
    from parsl.vocabulary.run_observer import RunObserver

logger = getLogger(__name__)

_POLLER_DEADLINE_S = 10.0

#: How long tasks in threads, which cannot be killed, may continue when the script fails.
LIMIT_AFTER_ERROR_S = 2.0


class InProcessExecutor(ParslExecutor):
    """Runs a task at once in the thread that submits it: for ``future[key]``, which is too small for more."""

    label = "_parsl_in_process"

    def submit(
        self, func: Callable[..., Any], resource_specification: dict[str, Any], *args: Any, **kwargs: Any
    ) -> LeanFuture[Any]:
        try:
            return done_future(func(*args, **kwargs))
        except Exception as error:
            return done_future(None, error)

    def shutdown(self) -> None:
        """Do nothing."""


IN_PROCESS = InProcessExecutor()


class ExecutorsByLabel(dict[str, ParslExecutor]):
    """The executors of a kernel by label. A request for the internal one by ``[...]`` starts that."""

    def __init__(self, start_internal: Callable[[], str]) -> None:
        self._start_internal = start_internal
        self.is_closed = False

    def __missing__(self, label: str) -> ParslExecutor:
        if label != INTERNAL_LABEL or self.is_closed:
            raise KeyError(label)
        return self[self._start_internal()]


class ExecutorSet:
    """Starts executors, finds one for a task, and shuts them down."""

    def __init__(
        self, config: Config, *, run_dir: str, run_id: str, log_config: Any | None, observer: RunObserver
    ) -> None:
        self._config = config
        self._observer = observer
        self._run_dir = run_dir
        self._run_id = run_id
        self._log_config = log_config
        self._lock = threading.Lock()
        #: The labels that 'all' stands for.
        self._public: tuple[str, ...] = ()
        self.by_label = ExecutorsByLabel(self.internal)
        #: How a task gets one of several executors; None for a random choice.
        self.selection: ExecutorSelection | None = None
        if config.executor_selector is not None:
            from parsl.dataflow.executor_selection import ExecutorSelection

            self.selection = ExecutorSelection(config.executor_selector)
        self.poller: JobStatusPoller | None = None

    def add(self, executors: Sequence[ParslExecutor]) -> None:
        """Start some executors; none if a label is in use, and none after one that cannot start."""
        check_labels("add_executors", executors, self.by_label)
        for executor in executors:
            self._start(executor)
            self._public = (*self._public, executor.label)
        self._scale(executors)

    def find(self, label: str) -> ParslExecutor:
        return IN_PROCESS if label == IN_PROCESS.label else self.by_label[label]

    def choose(self, executors: str | Sequence[str], app: object) -> str:
        """Return a random label among those that an app allows (labels, or ``'all'``)."""
        labels = self._labels(executors)
        if len(labels) == 1 and labels[0] in self.by_label:
            return labels[0]
        app_name = getattr(app, "__name__", "?")
        if not labels:
            reason = "" if executors == "all" else f"its executors are {executors!r}. "
            raise ValueError(f"App {app_name} has nowhere to run: {reason}{self._loaded()}")
        for label in labels:
            if label == INTERNAL_LABEL:
                self.internal()
            elif label not in self.by_label:
                raise ValueError(
                    f"App {app_name} requires the executor {label!r}, which is not loaded. {self._loaded()}"
                )
        from random import choice

        return choice(labels)

    def select(self, record: TaskRecord, executors: str | Sequence[str]) -> None:
        """Give a task the executor that the configuration's selector prefers among those of its app."""
        allowed = [self.by_label[label] for label in self._labels(executors)]
        if self.selection is not None and len(allowed) > 1:
            record.executor = self.selection.select(record, allowed)

    def _labels(self, executors: str | Sequence[str]) -> Sequence[str]:
        if executors == "all":
            return self._public
        return [executors] if isinstance(executors, str) else executors

    def _loaded(self) -> str:
        if not self._public:
            return "The configuration has no executors. Give Config(executors=[...]), or use add_executors"
        return "The loaded executors are: " + ", ".join(map(repr, self._public))

    def internal(self) -> str:
        """Return the label of the executor of join apps and of the apps of staging providers.

        The executor starts when it is first needed.
        """
        if INTERNAL_LABEL not in self.by_label:
            with self._lock:
                if INTERNAL_LABEL not in self.by_label:
                    self._start_internal()
        return INTERNAL_LABEL

    def _start_internal(self) -> None:
        from parsl.executors.threads import ThreadPoolExecutor

        executor = ThreadPoolExecutor(
            label=INTERNAL_LABEL, max_threads=self._config.internal_tasks_max_threads
        )
        self._prepare(executor)
        executor.start()
        self.by_label[INTERNAL_LABEL] = executor  # only now: other threads use it at once

    def shut_down(self) -> None:
        """Stop scaling and shut down every executor, whatever one of them raises.

        This waits for tasks in threads, but not for long when the script is failing: a user who presses
        Ctrl-C expects the script to end.
        """
        self.by_label.is_closed = True
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
                executor.shutdown_within(LIMIT_AFTER_ERROR_S)
            else:
                executor.shutdown()
        except Exception:
            logger.exception("Executor %s could not be shut down", executor.label)

    def _prepare(self, executor: ParslExecutor) -> None:
        executor.run_dir = self._run_dir
        executor.run_id = self._run_id
        executor.log_config = self._log_config
        executor.observer = self._observer
        if self._config.monitoring is not None:
            self._config.monitoring.attach(executor)

    def _start(self, executor: ParslExecutor) -> None:
        is_restart = executor.run_id is not None
        if is_restart:  # before anything is changed: its earlier run may not have ended
            executor.prepare_restart()
        self._prepare(executor)
        # Before its start, so that a signal handler that cleans up finds the executor.
        self.by_label[executor.label] = executor
        try:
            executor.start()
        except BaseException as error:
            self.by_label.pop(executor.label, None)
            self._shut_down(executor)
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise ConfigurationError(
                    f"Executor {executor.label!r} cannot start: {error.strerror}. Make room for its files in "
                    f"{self._run_dir}, or name another directory, Config(run_dir=...)"
                ) from error
            if is_restart and isinstance(error, Exception) and not isinstance(error, ConfigurationError):
                raise ConfigurationError(
                    f"{type(executor).__name__} {executor.label!r} has served a run before, and cannot start "
                    f"again: {error!r}. Create another one for this run"
                ) from error
            raise

    def _scale(self, executors: Sequence[ParslExecutor]) -> None:
        # An executor with blocks has imported this module; without one, it need not be imported here.
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
