"""The kernel: takes app calls, runs each one once what it depends on is done, brings the results home."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from logging import getLogger
from time import time

from parsl import validate
from parsl.common.forks import disown_in_children, not_here
from parsl.config import Config
from parsl.data_provider.data_manager import DataManager
from parsl.dataflow import older_spellings, special_arguments
from parsl.dataflow.futures import AppFuture
from parsl.dataflow.run import exit_hook
from parsl.dataflow.run.executor_choice import INTERNAL_LABEL
from parsl.dataflow.run.executor_set import ExecutorSet
from parsl.dataflow.run.loader import DataFlowKernelLoader
from parsl.dataflow.run.setup import (
    log_config_of,
    new_run_dir,
    new_run_id,
    start_logging,
    start_usage_tracking,
)
from parsl.dataflow.special_arguments import SpecialArguments
from parsl.dataflow.taskrecord import TaskRecord
from parsl.dataflow.tasks import std_streams
from parsl.dataflow.tasks.dependencies import Dependencies, describe_future
from parsl.dataflow.tasks.failure_log import FailureLog
from parsl.dataflow.tasks.file_staging import FileStaging, is_inhibited
from parsl.dataflow.tasks.graph import TaskGraph
from parsl.dataflow.tasks.runner import IN_PROCESS, TaskRunner
from parsl.dataflow.tasks.submission import is_callers_mistake
from parsl.errors import NoDataFlowKernelError
from parsl.vocabulary.names import SPECIAL_NAMES
from parsl.vocabulary.task_states import FINAL_FAILURE_STATES, States

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, NoReturn

    from parsl.dataflow.concurrency_limit import ConcurrencyLimit
    from parsl.dataflow.memoizer import Memoizer
    from parsl.executors.base import ParslExecutor

__all__ = ["DataFlowKernel", "DataFlowKernelLoader"]

logger = getLogger(__name__)


class DataFlowKernel:
    """Runs the tasks of a workflow in the order that their dependencies allow.

    It has no thread: an app call does its work in the caller's thread, the end of a task in the thread
    that brings the result. Any thread may call it.

    Args:
        config: What it is to be like.

    Attributes:
        run_dir: The directory of this run.
        run_id: The identifier of this run, unique in the world.
        data_manager: What finds a staging provider for each file.
        cleanup_called: Whether it is over.
        runner: What takes each task from its call to its result.
    """

    def __init__(self, config: Config) -> None:
        self._config: Config = validate.instance(self, "config", config, Config)
        self.cleanup_called = False
        self._is_disowned = False
        self._memoizer: Memoizer | None = None
        self._memoizer_lock = threading.Lock()
        self.monitoring = None
        self._cleanup_lock = threading.Lock()
        self._graph = TaskGraph(keep_finished=not config.garbage_collect)
        self._dependencies = Dependencies(config.dependency_resolver)
        self.run_id = new_run_id()
        self.run_dir = new_run_dir(config.run_dir)
        log_config = log_config_of(config)
        self._end_logging = start_logging(log_config, self.run_dir)
        self._executors = ExecutorSet(config, run_dir=self.run_dir, run_id=self.run_id, log_config=log_config)
        self.data_manager = DataManager(self)
        self._files = FileStaging(self.data_manager)
        self._failures = None if log_config is None else FailureLog(self.run_dir)
        self.runner = TaskRunner(config, self._graph, self._dependencies, self._executors, self._failures)
        self._end_usage_tracking = start_usage_tracking(config, self.run_dir)
        logger.info("Parsl run %s in %s", self.run_id, self.run_dir)
        exit_hook.clean_up_at_exit(self)
        disown_in_children(self)
        try:
            if config.memoizer is not None:
                self._start_memoizer(config.memoizer)
            self.add_executors(config.executors)
        except BaseException:
            self.cleanup()
            raise

    # What there is

    @property
    def config(self) -> Config:
        """What it is like."""
        return self._config

    @property
    def executors(self) -> Mapping[str, ParslExecutor]:
        """The executors by label."""
        return self._executors.by_label

    @property
    def job_status_poller(self) -> Any:
        """What scales the executors' blocks; None if none of them has blocks."""
        return self._executors.poller

    @property
    def dependency_resolver(self) -> Any:
        """How the futures in arguments are found."""
        return self._dependencies.resolver

    @property
    def tasks(self) -> dict[int, TaskRecord]:
        """The tasks by number; those that are done only without ``garbage_collect``."""
        return self._graph.tasks

    @property
    def task_count(self) -> int:
        """How many tasks there ever were."""
        return self._graph.task_count

    @property
    def task_state_counts(self) -> dict[States, int]:
        """How many tasks are in each state; those that are done included."""
        return self._graph.state_counts()

    @property
    def memoizer(self) -> Memoizer:
        """What remembers the outcomes of tasks; without one in the configuration, a BasicMemoizer."""
        if self._memoizer is None:
            with self._memoizer_lock:
                if self._memoizer is None:
                    from parsl.dataflow.memoization import BasicMemoizer

                    self._start_memoizer(BasicMemoizer())
        assert self._memoizer is not None
        return self._memoizer

    def _start_memoizer(self, memoizer: Memoizer) -> None:
        from parsl.dataflow.memo.task_memo import TaskMemo
        from parsl.dataflow.memoization import BasicMemoizer

        memoizer.start(run_dir=self.run_dir, config_run_dir=self._config.run_dir)
        asks_always = type(memoizer) is not BasicMemoizer
        self.runner.memo = TaskMemo(self.runner, memoizer, asks_always=asks_always)
        self._memoizer = memoizer

    def checkpoint(self, tasks: Sequence[Any] | None = None) -> str:
        """Write a checkpoint; an older spelling of ``memoizer.checkpoint()``.

        Args:
            tasks: Does not count any more: all results are written.

        Returns:
            The directory of this run's checkpoint.
        """
        return older_spellings.checkpoint(self.memoizer, self.run_dir)

    # App calls

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
        """Make a task of a function call, to be run when its dependencies are done.

        Args:
            func: The function.
            app_args: Its positional arguments. Futures among them are dependencies.
            executors: The labels of the executors that may run it, or ``'all'``.
            cache: Whether memoization applies.
            ignore_for_cache: The names of arguments that do not matter for it.
            app_kwargs: Its keyword arguments, special ones included.
            join: Whether it is a join app.
            concurrency_limit: What it has to pass before it is launched; None: nothing.

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
        if join:
            label = self._executors.internal()
        else:
            label = self._executors.choose(executors, getattr(func, "__name__", "?"))
        record = TaskRecord(self, func, app_args, app_kwargs, label, time())
        if join:
            record.join = True
        if cache:
            record.memoize = True
            record.ignore_for_cache = ignore_for_cache
            if self._memoizer is None:
                _ = self.memoizer
        return self._start(record, concurrency_limit)

    def submit_part(self, func: Callable[..., Any], whole: AppFuture[Any], part: object) -> AppFuture[Any]:
        """Make a task of ``func(result, part)`` that runs, in this process, once ``whole`` has a result.

        ``part`` may be a future, too.
        """
        record = TaskRecord(self, func, (whole, part), {}, IN_PROCESS.label, time())
        app_fu: AppFuture[Any] = AppFuture(record)
        record.app_fu = app_fu
        self._graph.add(record)
        depends, _ = self._dependencies.gather(record.args, {})
        self.runner.start(record, depends)
        return app_fu

    def submit_transfer(
        self, func: Callable[..., Any], args: Sequence[Any], executor: str, after: Sequence[Future[Any]]
    ) -> AppFuture[Any]:
        """Make a task that moves a file, for a staging provider.

        Args:
            func: What to call.
            args: Its arguments, as they are.
            executor: The label of the executor that runs it.
            after: What has to be done before.
        """
        label = self._executors.internal() if executor == INTERNAL_LABEL else executor
        record = TaskRecord(self, func, args, {}, label, time())
        app_fu: AppFuture[Any] = AppFuture(record)
        record.app_fu = app_fu
        self._graph.add(record)
        self.runner.start(record, list(after) or None)
        return app_fu

    @staticmethod
    def check_staging_inhibited(kwargs: dict[str, Any]) -> bool:
        """Whether a call says, by ``_parsl_staging_inhibit=True``, that its files are not to be staged."""
        return is_inhibited(kwargs)

    def _start(self, record: TaskRecord, limit: ConcurrencyLimit | None = None) -> AppFuture[Any]:
        app_fu: AppFuture[Any] = AppFuture(record)
        record.app_fu = app_fu
        kwargs = record.kwargs
        is_special = bool(kwargs) and not SPECIAL_NAMES.isdisjoint(kwargs)
        if is_special:
            self._read_special(record)
        depends, files = self._dependencies.gather(record.args, record.kwargs)
        if files is not None and self._files.is_needed(record, files):
            self._files.stage_in(record)
            depends, _ = self._dependencies.gather(record.args, record.kwargs)
        if is_special:
            self._stage_out(record, app_fu, depends or ())
            record.kwargs = special_arguments.for_function(record.func, record.kwargs)
        if limit is not None:
            special_arguments.special_of(record).concurrency_limit = limit
        self._graph.add(record)
        if self.cleanup_called:  # since it was asked above; nobody else would end this task
            self.runner.abandon(record)
            return app_fu
        error = self.runner.start(record, depends)
        if error is not None and is_callers_mistake(error):
            raise error
        return app_fu

    def _read_special(self, record: TaskRecord) -> None:
        special = SpecialArguments(record.func_name, record.kwargs)
        record.special = special
        record.id = self._graph.new_id()
        record.kwargs = kwargs = dict(record.kwargs)
        if isinstance(inputs := kwargs.get("inputs"), list):
            # What the caller adds later, such as this task's future, is not meant.
            kwargs["inputs"] = list(inputs)
        for name, stream in special.streams.items():
            if stream == special_arguments.AUTO_LOGNAME:
                stream = self._autopath(record, name)
                special.set_stream(record.func_name, name, stream)
                kwargs[name] = stream

    def _stage_out(self, record: TaskRecord, app_fu: AppFuture[Any], depends: Sequence[Future[Any]]) -> None:
        assert record.special is not None
        try:
            self._files.stage_out(record, record.special, app_fu, depends)
        except BaseException as error:
            app_fu.set_exception(error)  # transfers that wait for the task, which will not be
            raise

    def _autopath(self, record: TaskRecord, stream: str) -> Any:
        choose = self._config.std_autopath or self.default_std_autopath
        return choose(record, stream)

    def default_std_autopath(self, taskrecord: TaskRecord, kw: str) -> str:
        """Return the path in the run directory for a stream that was given as ``AUTO_LOGNAME``.

        Args:
            taskrecord: The task.
            kw: ``'stdout'`` or ``'stderr'``.
        """
        path = std_streams.autopath(self.run_dir, taskrecord, kw)
        std_streams.open_directory(path)
        return path

    def wipe_task(self, task_id: int) -> None:
        """Forget a task that is done."""
        self._graph.wipe(task_id)

    def render_future_description(self, dep: Future[Any]) -> str:
        """Name a future in an error message."""
        return describe_future(dep)

    # The kernel's own life

    def disown(self) -> None:
        """Be of no use in this process, a forked child: the run is its parent's."""
        self._cleanup_lock = threading.Lock()
        self._is_disowned = self.cleanup_called = self.runner.is_over = True

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
        """Wait until the tasks that there are now are done. Those submitted meanwhile do not count."""
        # The last first: when it is done most others are too, and need not be waited for one by one.
        for future in reversed(self._graph.unfinished_futures()):
            _wait(future)

    def log_task_states(self) -> None:
        """Log how many tasks are in each state."""
        by_state = self.task_state_counts.items()
        counts = ", ".join(f"{state.name}: {count}" for state, count in by_state if count) or "none"
        logger.info("Tasks: %d; by state: %s", self.task_count, counts)

    def cleanup(self) -> None:
        """End the run: shut the executors down, and fail what is not done. Later calls do nothing."""
        with self._cleanup_lock:
            if self.cleanup_called:
                return
            self.cleanup_called = self.runner.is_over = True
        unfinished = len(self._graph.unfinished())
        from contextlib import ExitStack

        # In reverse order, each whatever the one before it raises.
        with ExitStack() as steps:
            steps.callback(self._end_logging)
            steps.callback(logger.info, "Cleanup of %r is done", self)
            steps.callback(self._tell_usage)
            steps.callback(exit_hook.no_more, self)
            steps.callback(self._close_memoizer)
            if self._failures is not None:
                steps.callback(self._failures.close, unfinished)
            steps.callback(self.runner.abandon_all)
            steps.callback(self._executors.shut_down)
            steps.callback(self.log_task_states)

    def _close_memoizer(self) -> None:
        if self._memoizer is not None:
            self._memoizer.close()

    def _tell_usage(self) -> None:
        counts = self.task_state_counts
        self._end_usage_tracking(self.task_count, sum(counts[state] for state in FINAL_FAILURE_STATES))

    def atexit_cleanup(self) -> None:
        """Clean up because Python ends."""
        if unfinished := self._graph.unfinished():
            exit_hook.tell_of_unfinished(len(unfinished))
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
            DataFlowKernelLoader.forget(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{self!r} cannot be pickled: the workflow runs in this process. Leave it out of what tasks get"
        )

    def __repr__(self) -> str:
        state = "cleaned up" if self.cleanup_called else "running"
        return f"<{type(self).__name__} {state}, {self._graph!r}, {self._executors!r}>"


def _wait(future: Future[Any]) -> None:
    from concurrent.futures import CancelledError

    try:
        future.exception()
    except CancelledError:
        pass
