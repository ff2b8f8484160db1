"""The kernel: takes app calls, and runs each of them once when its dependencies are done."""

from __future__ import annotations

import os
import threading
from concurrent.futures import CancelledError, Future
from functools import partial
from logging import getLogger
from time import time

from parsl import validate
from parsl.common import pass_on_upstream_names
from parsl.common.rundirs import make_rundir
from parsl.common.threads import disown_in_children, not_here
from parsl.data_provider.data_manager import DataManager
from parsl.data_provider.stager import Stager
from parsl.dataflow import older_spellings, special_arguments
from parsl.dataflow.config import Config
from parsl.dataflow.dependencies import Dependencies, describe_future
from parsl.dataflow.futures import AppFuture
from parsl.dataflow.run import exit_hook
from parsl.dataflow.run.executor_set import IN_PROCESS, ExecutorSet
from parsl.dataflow.run.setup import RunRecords, Workflow, describe_run, new_run_dir, new_run_id
from parsl.dataflow.taskrecord import TaskRecord
from parsl.dataflow.tasks.completion import Completion
from parsl.dataflow.tasks.event_feed import EventFeed
from parsl.dataflow.tasks.failure_log import FailureLog
from parsl.dataflow.tasks.file_staging import FileStaging, is_inhibited, special_of
from parsl.dataflow.tasks.graph import TaskGraph
from parsl.dataflow.tasks.runner import TaskRunner, is_callers_mistake
from parsl.dataflow.tasks.task_log import TaskLog
from parsl.dataflow.tasks.task_memo import TaskMemo
from parsl.errors import NoDataFlowKernelError
from parsl.eventlog import EVENT_LOG
from parsl.vocabulary import INTERNAL_LABEL, SPECIAL_NAMES, for_function
from parsl.vocabulary.run_observer import NO_OBSERVER
from parsl.vocabulary.task_states import FINAL_FAILURE_STATES, States

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, NoReturn

    from parsl.dataflow.loader import DataFlowKernelLoader
    from parsl.dataflow.memoizer import Memoizer
    from parsl.dataflow.work_loop import ConcurrencyLimit
    from parsl.executors.base import ParslExecutor
    from parsl.usage_tracking.usage import UsageTracker
    from parsl.vocabulary.lean_future import LeanFuture

__all__ = ["DataFlowKernel", "DataFlowKernelLoader"]

logger = getLogger(__name__)


class DataFlowKernel:
    """Runs the tasks of a workflow in the order that their dependencies allow.

    It has no thread: an app call does its work in the caller's thread, the end of a task in the thread
    that completes the executor's future. Any thread may call it.

    Args:
        config: The configuration.

    Attributes:
        run_dir: The directory of this run.
        run_id: The identifier of this run, a UUID.
        data_manager: Gives staging providers access to the kernel.
        cleanup_called: Whether the run is over.
    """

    def __init__(self, config: Config) -> None:
        self._config: Config = validate.instance(self, "config", config, Config)
        self.cleanup_called = False
        self._is_disowned = False
        self.monitoring = config.monitoring
        #: Called with the kernel after its ``with`` block.
        self.when_left: Callable[[DataFlowKernel], object] | None = None
        self._cleanup_lock = threading.Lock()
        self._dependencies = Dependencies(config.dependency_resolver)
        self._workflow = Workflow(config.monitoring)
        self.run_id = new_run_id()
        self.run_dir = new_run_dir(config.run_dir, make_rundir)
        self._records = RunRecords(config, self.run_dir)
        self._graph = TaskGraph(keep_finished=not config.garbage_collect)
        self._events = self._make_event_feed()
        self._executors = ExecutorSet(
            config,
            run_dir=self.run_dir,
            run_id=self.run_id,
            log_config=self._records.log_config,
            observer=self._events or NO_OBSERVER,
        )
        self.data_manager = DataManager(self)
        self._files = FileStaging(Stager(self.data_manager))
        self._failures: FailureLog | None = None
        if self._records.is_logging:
            executors = self._executors.by_label
            self._failures = FailureLog(self.run_dir, retries=config.retries, executors=executors)
        self._memo = TaskMemo(config.memoizer, run_dir=self.run_dir, config_run_dir=config.run_dir)
        self._task_log = TaskLog(self.run_id)
        self._completion = Completion(
            self._graph,
            self._memo,
            self._failures,
            self._task_log,
            self._events,
            drops_payload=config.garbage_collect,
        )
        self._runner = TaskRunner(
            config, self._graph, self._dependencies, self._executors, self._memo, self._completion
        )
        self.attempt_ended = self._runner.attempt_ended
        logger.info("Parsl run %s in %s", self.run_id, self.run_dir, extra={"parsl.dfk": self.run_id})
        exit_hook.call_at_exit(self.atexit_cleanup)
        disown_in_children(self)
        try:
            if self.monitoring is not None:
                self.monitoring.note = None if self._events is None else self._events.note
                self.monitoring.start(self.run_dir, config.run_dir, self._records.log_config)
            if config.memoizer is not None:
                self._memo.start()
            self.add_executors(config.executors)
        except BaseException:
            self.cleanup()
            raise
        if self._events is not None and self.monitoring is not None:
            self._events.wake()  # the process that fills the database waits for the log

    def _make_event_feed(self) -> EventFeed | None:
        if not self._config.event_log or not (self._records.is_logging or self.monitoring):
            return None
        return EventFeed(
            os.path.join(self.run_dir, EVENT_LOG),
            self._graph,
            lambda label: self._executors.by_label.get(label),
            partial(describe_run, self.run_id, self.run_dir, self._workflow, time()),
        )

    @property
    def config(self) -> Config:
        """The configuration."""
        return self._config

    @property
    def executors(self) -> Mapping[str, ParslExecutor]:
        """The executors by label."""
        return self._executors.by_label

    @property
    def job_status_poller(self) -> Any:
        """The object that scales the executors' blocks; None if no executor has blocks."""
        return self._executors.poller

    @property
    def dependency_resolver(self) -> Any:
        """The way in which futures in arguments are found."""
        return self._dependencies.resolver

    @property
    def tasks(self) -> dict[int, TaskRecord]:
        """The tasks by number. Tasks that have ended stay only without ``garbage_collect``."""
        return self._graph.tasks

    @tasks.setter
    def tasks(self, tasks: dict[int, TaskRecord]) -> None:
        """Replace the dictionary, for instance by an empty one; tasks that have not ended stay in it."""
        self._graph.replace_tasks(validate.instance(self, "tasks", tasks, dict))

    @property
    def task_count(self) -> int:
        """The number of tasks so far."""
        return self._graph.task_count

    @property
    def ended_task_counts(self) -> dict[States, int]:
        """The number of tasks in each final state."""
        return self._graph.ended_counts()

    @property
    def task_state_counts(self) -> dict[States, int]:
        """The number of tasks in each state, including those that have ended."""
        return self._graph.state_counts()

    @property
    def workflow_name(self) -> str:
        """The name that MonitoringHub gives the workflow; else that of the file that has started the run."""
        return self._workflow.name

    @property
    def workflow_version(self) -> str:
        """The version that MonitoringHub gives it; else when that file was last changed (local time)."""
        return self._workflow.version

    @property
    def usage_tracker(self) -> UsageTracker:
        """The usage report of this run."""
        return self._records.usage_tracker

    @property
    def memoizer(self) -> Memoizer:
        """The memoizer; without one in the configuration, a BasicMemoizer."""
        return self._memo.start()

    def checkpoint(self, tasks: Sequence[Any] | None = None) -> str:
        """Write a checkpoint; an older spelling of ``memoizer.checkpoint()``.

        Args:
            tasks: Ignored: all results are written.

        Returns:
            The directory of this run's checkpoint.
        """
        return older_spellings.checkpoint(self.memoizer, self.run_dir)

    def submit(
        self,
        func: Callable[..., Any],
        app_args: Sequence[Any],
        executors: str | Sequence[str],
        cache: bool,
        ignore_for_cache: Sequence[str] | None,
        app_kwargs: dict[str, Any],
        join: bool = False,
        *,
        concurrency_limit: ConcurrencyLimit | None = None,
    ) -> AppFuture[Any]:
        """Make a task of a function call. It runs when its dependencies are done.

        Args:
            func: The function.
            app_args: Its positional arguments. Futures among them are dependencies.
            executors: The labels of the executors that may run it, or ``'all'``.
            cache: Whether memoization applies.
            ignore_for_cache: The names of arguments that do not count for memoization.
            app_kwargs: Its keyword arguments, including the special ones.
            join: Whether the function is that of a join app.
            concurrency_limit: The limit that has to admit the task before its launch; None for no limit.

        Returns:
            The future of its result.

        Raises:
            NoDataFlowKernelError: The kernel has been cleaned up, or belongs to another process.
            ValueError: There is no such executor.
            ParameterError: A special keyword argument is wrong.
            InvalidResourceSpecification: The executor does not understand the resource specification.
        """
        if self.cleanup_called:
            self.check_is_here()
            raise NoDataFlowKernelError(
                "Cannot submit to a DFK that has been cleaned up: its run is over. "
                "Call apps inside the `with parsl.load(...)` block, or load a configuration again"
            )
        label = self._executors.internal() if join else self._executors.choose(executors, func)
        record = TaskRecord(self, func, app_args, app_kwargs, label, time())
        if join:
            record.join, record.is_plain = True, False
        if cache:
            record.memoize, record.is_plain = True, False
            record.ignore_for_cache = ignore_for_cache
        return self._start(record, label if join else executors, concurrency_limit)

    def submit_part(self, func: Callable[..., Any], whole: AppFuture[Any], part: object) -> AppFuture[Any]:
        """Make a task of ``func(result, part)`` for this process; ``part`` may be a future, too."""
        record = TaskRecord(self, func, (whole, part), {}, IN_PROCESS.label, time())
        depends, _ = self._dependencies.gather(record.args, {})
        return self._start_after(record, depends)

    def submit_transfer(
        self, func: Callable[..., Any], args: Sequence[Any], executor: str, after: Sequence[Future[Any]]
    ) -> AppFuture[Any]:
        """Make a task that transfers a file when the futures in ``after`` are done; for staging providers."""
        label = self._executors.internal() if executor == INTERNAL_LABEL else executor
        return self._start_after(TaskRecord(self, func, args, {}, label, time()), list(after))

    @staticmethod
    def check_staging_inhibited(kwargs: dict[str, Any]) -> bool:
        """Whether a call forbids the staging of its files by ``_parsl_staging_inhibit=True``."""
        return is_inhibited(kwargs)

    def _start(
        self, record: TaskRecord, allowed: str | Sequence[str], limit: ConcurrencyLimit | None
    ) -> AppFuture[Any]:
        app_fu: AppFuture[Any] = AppFuture(record)
        record.app_fu = app_fu
        kwargs = record.kwargs
        is_special = bool(kwargs) and not SPECIAL_NAMES.isdisjoint(kwargs)
        if is_special:
            self._read_special(record)
        if (selection := self._executors.selection) is not None:
            self._executors.select(record, allowed)
        if is_special:
            choose = partial(self._config.std_autopath or self.default_std_autopath, record)
            special_of(record).choose_streams(record.func_name, record.kwargs, choose)
        depends, files = self._dependencies.gather(record.args, record.kwargs)
        if files is not None and self._files.is_needed(record, files):
            self._files.stage_in(record)
            depends, _ = self._dependencies.gather(record.args, record.kwargs)
        if is_special:
            self._stage_out(record, app_fu, depends or ())
            record.kwargs = for_function(record.func, record.kwargs)
        if limit is not None:
            special_of(record).concurrency_limit = limit
        if selection is not None:
            selection.follow(record.executor, app_fu)
        self._graph.add(record)
        log = self._task_log
        if len(log.source.handlers) != log.quiet_count:
            log.submitted(record, depends or ())
        if self.cleanup_called:  # since the check in submit; no other thread would end this task
            self._completion.abandon(record)
            return app_fu
        if depends is None:
            error = self._runner.launch(record, record.args, record.kwargs)
        else:
            error = self._runner.start_after(record, depends)
        if error is not None and is_callers_mistake(error):
            raise error
        return app_fu

    def _start_after(self, record: TaskRecord, depends: list[Future[Any]] | None) -> AppFuture[Any]:
        """Start a task of the kernel's own, without special arguments."""
        app_fu: AppFuture[Any] = AppFuture(record)
        record.app_fu = app_fu
        self._graph.add(record)
        log = self._task_log
        if len(log.source.handlers) != log.quiet_count:
            log.submitted(record, depends or ())
        self._runner.start_after(record, depends or [])
        return app_fu

    def _read_special(self, record: TaskRecord) -> None:
        record.special = special_arguments.SpecialArguments(record.func_name, record.kwargs)
        record.is_plain = False
        record.id = self._graph.new_id()
        record.kwargs = kwargs = dict(record.kwargs)
        if isinstance(inputs := kwargs.get("inputs"), list):
            # The caller may append to the list later, for instance this task's future.
            kwargs["inputs"] = list(inputs)

    def _stage_out(self, record: TaskRecord, app_fu: AppFuture[Any], depends: Sequence[Future[Any]]) -> None:
        assert record.special is not None
        try:
            self._files.stage_out(record, record.special, app_fu, depends)
        except BaseException as error:
            app_fu.set_exception(error)  # for transfers that wait for the task, which never runs
            raise

    def default_std_autopath(self, taskrecord: TaskRecord, kw: str) -> str:
        """Return the path in the run directory for a stream that was given as ``AUTO_LOGNAME``."""
        return special_arguments.make_autopath(
            self.run_dir, taskrecord.id, taskrecord.func_name, taskrecord.label, kw
        )

    def cancel_task(self, record: TaskRecord, app_fu: LeanFuture[Any]) -> bool:
        """Cancel a task if that is still possible; see :meth:`AppFuture.cancel`."""
        return self._completion.cancel(record, app_fu)

    def wipe_task(self, task_id: int) -> None:
        """Forget a task that is done."""
        self._graph.wipe(task_id)

    def render_future_description(self, dep: Future[Any]) -> str:
        """Name a future in an error message."""
        return describe_future(dep)

    def disown(self) -> None:
        """Refuse to work in this process, a forked child: the run belongs to its parent."""
        self._cleanup_lock = threading.Lock()
        self._is_disowned = self.cleanup_called = True
        self._completion.is_run_over = True

    def check_is_here(self) -> None:
        """Raise NoDataFlowKernelError in a forked child of the process that the run belongs to."""
        if self._is_disowned:
            raise NoDataFlowKernelError(not_here(f"The run in {self.run_dir}"))

    def add_executors(self, executors: Sequence[ParslExecutor]) -> None:
        """Start more executors.

        Raises:
            ConfigurationError: A label is in use already.
        """
        if self.cleanup_called:
            raise NoDataFlowKernelError("Cannot add executors to a DFK that has been cleaned up")
        self._executors.add(list(executors))

    def wait_for_current_tasks(self) -> None:
        """Wait until the present tasks are done. Tasks that are submitted meanwhile do not count."""
        # The last first: when it is done, most others are done, too, and take no time.
        for future in reversed(self._graph.unfinished_futures()):
            try:
                future.exception()
            except CancelledError:
                pass

    def validate_state(self) -> None:
        """Check the invariants of the tasks' states; for tests."""
        self._graph.validate()

    def log_task_states(self) -> None:
        """Log the number of tasks in each state, in lines that scripts search for."""
        logger.info("Summary of tasks in DFK:")
        for state, count in self.task_state_counts.items():
            logger.info("Tasks in state States.%s: %d", state.name, count)
        logger.info("End of summary")

    def cleanup(self) -> None:
        """End the run: shut the executors down, and fail unfinished tasks. Later calls do nothing."""
        with self._cleanup_lock:
            if self.cleanup_called:
                return
            self.cleanup_called = True
        self._completion.is_run_over = True
        unfinished = len(self._graph.unfinished())
        from contextlib import ExitStack

        # In reverse order; an exception in one step does not prevent the others.
        with ExitStack() as steps:
            steps.callback(self._records.end_logging)
            steps.callback(logger.info, "Cleanup of %r is done", self)
            steps.callback(self._end_usage_tracking)
            steps.callback(exit_hook.forget, self.atexit_cleanup)
            steps.callback(self._memo.close)
            if self.monitoring is not None:
                steps.callback(self.monitoring.close)
            if self._events is not None:
                steps.callback(self._end_events, self._events)
            if self._failures is not None:
                steps.callback(self._failures.close, unfinished)
            steps.callback(self._completion.abandon_all)
            steps.callback(self._executors.shut_down)
            steps.callback(self.log_task_states)

    def _end_events(self, events: EventFeed) -> None:
        if self.monitoring is not None:
            self.monitoring.end_messages()
        counts = self.task_state_counts
        events.close({state.name: number for state, number in counts.items() if number})

    def _end_usage_tracking(self) -> None:
        counts = self.task_state_counts
        failed = sum(counts[state] for state in FINAL_FAILURE_STATES)
        self._records.end_usage_tracking(self.task_count, failed)

    def atexit_cleanup(self) -> None:
        """Clean up because Python exits."""
        if unfinished := self._graph.unfinished():
            exit_hook.warn_of_unfinished(len(unfinished))
        self.cleanup()

    def __enter__(self) -> DataFlowKernel:
        return self

    def __exit__(self, exc_type: object, exc_value: object, traceback: object) -> None:
        mode = self._config.exit_mode
        if mode == "skip":
            return
        try:
            if mode == "wait" and exc_type is None and not self._is_disowned:
                self.wait_for_current_tasks()
        finally:
            self.cleanup()
            if self.when_left is not None:
                self.when_left(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{self!r} cannot be pickled: the workflow runs in this process. Do not pass the kernel to tasks"
        )

    def __repr__(self) -> str:
        state = "cleaned up" if self.cleanup_called else "running"
        return f"<{type(self).__name__} {state}, {self._graph!r}, {self._executors!r}>"


pass_on_upstream_names(__name__)
