"""The kernel: takes app calls, runs each one once what it depends on is done, brings the results home."""

from __future__ import annotations

import threading
from concurrent.futures import Future, InvalidStateError
from logging import getLogger
from time import time
from types import MethodType

from parsl import validate
from parsl.app.errors import RemoteExceptionWrapper
from parsl.config import Config
from parsl.data_provider.files import File
from parsl.dataflow import exit_hook, retries, special_arguments, std_streams
from parsl.dataflow.data_future import DataFuture
from parsl.dataflow.dependencies import Dependencies, describe_future, failures_of, refuse_remote
from parsl.dataflow.errors import DataFlowException, DependencyError, JoinError
from parsl.dataflow.executor_set import ExecutorSet
from parsl.dataflow.futures import AppFuture
from parsl.dataflow.graph import TaskGraph
from parsl.dataflow.in_process import InProcessExecutor
from parsl.dataflow.joining import joined_futures, joined_result
from parsl.dataflow.loader import DataFlowKernelLoader
from parsl.dataflow.run_setup import log_config_of, new_run_dir, new_run_id, start_logging
from parsl.dataflow.special_arguments import SPECIAL_NAMES, SpecialArguments
from parsl.dataflow.states import States
from parsl.dataflow.submission import submit_to
from parsl.dataflow.taskrecord import TaskRecord
from parsl.dataflow.work_loop import work_loop
from parsl.errors import NoDataFlowKernelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from parsl.executors.base import ParslExecutor
    from parsl.lean_future import Callbacks

__all__ = ["DataFlowKernel", "DataFlowKernelLoader"]

logger = getLogger(__name__)

_EXEC_DONE = States.exec_done
_FAILED = States.failed
_DEP_FAIL = States.dep_fail

_IN_PROCESS = InProcessExecutor()

_KERNEL_CALLBACKS = (TaskRecord.dependency_done, TaskRecord.join_done)


class DataFlowKernel:
    """Runs the tasks of a workflow in the order that their dependencies allow.

    It has no thread: an app call does its work in the caller's thread, the end of a task in the thread
    that brings the result. Any thread may call it. What is decided under the graph's lock is done after
    releasing it, step by step in the thread's :data:`work_loop`.

    Args:
        config: What it is to be like.

    Attributes:
        run_dir: The directory of this run.
        run_id: The identifier of this run, unique in the world.
        cleanup_called: Whether it is over.
    """

    def __init__(self, config: Config) -> None:
        self._config: Config = validate.instance(self, "config", config, Config)
        self.cleanup_called = False
        self.memoizer = None
        self.monitoring = None
        self._cleanup_lock = threading.Lock()
        self._graph = TaskGraph(keep_finished=not config.garbage_collect)
        self._dependencies = Dependencies(config.dependency_resolver)
        self._warned_about_cache: set[str] = set()
        self.run_id = new_run_id()
        self.run_dir = new_run_dir(config.run_dir)
        log_config = log_config_of(config)
        self._end_logging = start_logging(log_config, self.run_dir)
        self._executors = ExecutorSet(config, run_dir=self.run_dir, run_id=self.run_id, log_config=log_config)
        logger.info("Parsl run %s in %s", self.run_id, self.run_dir)
        exit_hook.clean_up_at_exit(self)
        try:
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

        Returns:
            The future of its result.

        Raises:
            NoDataFlowKernelError: The kernel has been cleaned up.
            ValueError: There is no such executor.
            ParameterError: A special keyword argument is wrong.
            InvalidResourceSpecification: The executor does not understand the resource specification.
        """
        if self.cleanup_called:
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
            self._note_cache(record, ignore_for_cache)
        return self._start(record)

    def submit_part(self, func: Callable[..., Any], whole: AppFuture[Any], part: object) -> AppFuture[Any]:
        """Make a task of ``func(result, part)`` that runs, in this process, once ``whole`` has a result."""
        record = TaskRecord(self, func, (whole, part), {}, _IN_PROCESS.label, time())
        app_fu: AppFuture[Any] = AppFuture(record)
        record.app_fu = app_fu
        self._graph.add(record)
        self._start_after(record, [whole])
        return app_fu

    def _start(self, record: TaskRecord) -> AppFuture[Any]:
        app_fu: AppFuture[Any] = AppFuture(record)
        record.app_fu = app_fu
        kwargs = record.kwargs
        is_special = bool(kwargs) and not SPECIAL_NAMES.isdisjoint(kwargs)
        if is_special:
            self._read_special(record, app_fu)
        depends = self._dependencies.gather(record.args, record.kwargs)
        if is_special:
            record.kwargs = special_arguments.for_function(record.func, record.kwargs)
        self._graph.add(record)
        if depends is None:
            error = self._launch(record, record.args, record.kwargs)
        else:
            error = self._start_after(record, depends)
        if error is not None and _is_callers_mistake(error):
            raise error
        return app_fu

    def _read_special(self, record: TaskRecord, app_fu: AppFuture[Any]) -> None:
        special = SpecialArguments(record.func_name, record.kwargs)
        for file in special.files():
            refuse_remote(file)
        record.special = special
        record.id = self._graph.new_id()
        record.kwargs = kwargs = dict(record.kwargs)
        for name, stream in special.streams.items():
            if stream == special_arguments.AUTO_LOGNAME:
                kwargs[name] = stream = self._autopath(record, name)
            shown = DataFuture(app_fu, stream, record.id) if isinstance(stream, File) else stream
            setattr(special, f"shown_{name}", shown)
        special.output_futures = [DataFuture(app_fu, file, record.id) for file in special.outputs]

    def _autopath(self, record: TaskRecord, stream: str) -> Any:
        choose = self._config.std_autopath or self.default_std_autopath
        return choose(record, stream)

    def default_std_autopath(self, taskrecord: TaskRecord, kw: str) -> str:
        """Return the path in the run directory for a stream that was given as ``AUTO_LOGNAME``.

        Args:
            taskrecord: The task.
            kw: ``'stdout'`` or ``'stderr'``.
        """
        return std_streams.autopath(self.run_dir, taskrecord, kw)

    def _note_cache(self, record: TaskRecord, ignore_for_cache: Sequence[str] | None) -> None:
        record.memoize = True
        record.ignore_for_cache = ignore_for_cache
        if record.func_name not in self._warned_about_cache:
            self._warned_about_cache.add(record.func_name)
            logger.warning(
                "App %s has cache=True, but memoization is not available in this version yet: "
                "every call of it runs",
                record.func_name,
            )

    # Dependencies

    def _start_after(self, record: TaskRecord, depends: list[Future[Any]]) -> BaseException | None:
        record.depends = depends
        self._graph.expect(record, len(depends) + 1)
        for future in depends:
            future.add_done_callback(record.dependency_done)
        # The one count more than there are futures is taken off here, so that this thread knows
        # whether it is the one to go on.
        return self._advance(record) if self._graph.count_down(record) else None

    def count_down_dependency(self, task_record: TaskRecord) -> None:
        """A future that a task depends on is done."""
        if self._graph.count_down(task_record):
            work_loop.run_soon(self._advance, task_record)

    def _advance(self, record: TaskRecord) -> BaseException | None:
        """Launch a task whose dependencies are done, or fail it with them."""
        depends = record.depends
        if not depends:
            return self._launch(record, record.args, record.kwargs)
        failures = failures_of(depends, record)
        if failures:
            error = DependencyError(failures, record.id)
            logger.info("Task %d (%s) is not run: %s", record.id, record.func_name, error)
            self._finish(record, _DEP_FAIL, None, error)
            return None
        try:
            args, kwargs = self._dependencies.unwrap(record.args, record.kwargs)
        except Exception as error:
            self._finish(record, _FAILED, None, error)
            return None
        return self._launch(record, args, kwargs)

    # Attempts

    def _launch(
        self, record: TaskRecord, args: Iterable[Any], kwargs: dict[str, Any]
    ) -> BaseException | None:
        """Give a task to its executor. Returns what the executor says against it."""
        try:
            executor = self._executor_of(record)
            exec_fu = submit_to(executor, record.func, record.special, args, kwargs)
        except BaseException as error:
            self._not_launched(record, error)
            if not isinstance(error, Exception):
                raise
            return error
        if self._graph.launched(record, exec_fu):
            exec_fu.add_done_callback(record)
        else:
            exec_fu.cancel()  # the task was cancelled in the meantime
        return None

    def _executor_of(self, record: TaskRecord) -> ParslExecutor:
        if record.executor == _IN_PROCESS.label:
            return _IN_PROCESS
        return self._executors.by_label[record.executor]

    def _not_launched(self, record: TaskRecord, error: BaseException) -> None:
        if isinstance(error, Exception) and not _is_callers_mistake(error):
            work_loop.run_now(self._attempt_failed, record, error)
        else:
            self._finish(record, _FAILED, None, error)

    def handle_exec_update(self, task_record: TaskRecord, future: Future[Any]) -> None:
        """An executor's future is done."""
        work_loop.run_now(self._attempt_ended, task_record, future)

    def _attempt_ended(self, record: TaskRecord, exec_fu: Future[Any]) -> None:
        record.attempt_returned_s = time()
        if exec_fu.cancelled():
            self._finish_cancelled(record)
            return
        error = exec_fu.exception()
        if error is not None:
            self._attempt_failed(record, error)
            return
        result = exec_fu.result()
        if isinstance(result, RemoteExceptionWrapper):
            self._attempt_failed(record, result.get_exception())
        elif record.join:
            self._begin_joining(record, result)
        else:
            self._finish(record, _EXEC_DONE, result, None)

    def _attempt_failed(self, record: TaskRecord, error: BaseException) -> None:
        try:
            retries.record_failure(record, error, self._config.retry_handler)
        except DataFlowException as handler_error:
            error = handler_error
        else:
            if retries.is_worth_another_attempt(record, self._config.retries) and not self.cleanup_called:
                self._try_again(record, error)
                return
        if self._finish(record, _FAILED, None, error):
            logger.error(
                "Task %d (%s) has failed, after %d retries", record.id, record.func_name, record.try_id,
                exc_info=error,
            )  # fmt: skip

    def _try_again(self, record: TaskRecord, error: BaseException) -> None:
        if self._graph.attempt_failed(record):
            logger.info(
                "Task %d (%s) is tried again: attempt %d failed with %r (cost so far %s of %s)",
                record.id, record.func_name, record.try_id, error, record.fail_cost, self._config.retries,
            )  # fmt: skip
            work_loop.run_soon(self._begin_next_attempt, record)

    def _begin_next_attempt(self, record: TaskRecord) -> None:
        if self._graph.pending_again(record):
            self._advance(record)

    # Join apps

    def _begin_joining(self, record: TaskRecord, returned: object) -> None:
        try:
            futures = joined_futures(returned)
        except TypeError as error:
            self._finish(record, _FAILED, None, error)
            return
        if self._graph.joining(record, returned):  # type: ignore[arg-type]
            self._graph.expect(record, len(futures) + 1)
            for future in futures:
                future.add_done_callback(record.join_done)
            self.handle_join_update(record, None)

    def handle_join_update(self, task_record: TaskRecord, inner_app_future: Future[Any] | None) -> None:
        """A future that a join app has returned is done."""
        if self._graph.count_down(task_record):
            work_loop.run_soon(self._finish_joining, task_record)

    def _finish_joining(self, record: TaskRecord) -> None:
        joins = record.joins
        if joins is None:
            return
        failures = failures_of([joins] if isinstance(joins, Future) else joins, record)
        if failures:
            error = JoinError(failures, record.id)
            logger.info("Task %d (%s) has failed: %s", record.id, record.func_name, error)
            self._finish(record, _FAILED, None, error)
        else:
            self._finish(record, _EXEC_DONE, joined_result(joins), None)

    # The end of a task

    def _finish(
        self,
        record: TaskRecord,
        status: States,
        result: Any,
        error: BaseException | None,
        *,
        is_cancelled: bool = False,
    ) -> bool:
        """End a task, whoever comes first; the counts are right when its future is done."""
        app_fu = record.app_fu
        if app_fu is None or not self._graph.finish(record, status, app_fu):
            return False
        if self._config.garbage_collect:
            record.forget_payload()
        try:
            outcome = "CANCELLED_AND_NOTIFIED" if is_cancelled else "FINISHED"
            callbacks = app_fu._finish(outcome, result, error)  # type: ignore[arg-type]
        except InvalidStateError:
            logger.error("The result of task %d was set by somebody else: %r", record.id, app_fu)
            callbacks = None
        self._graph.finished(app_fu)
        if callbacks is not None:
            _run_callbacks(app_fu, callbacks)
        return True

    def _finish_cancelled(self, record: TaskRecord) -> bool:
        if self.cleanup_called:
            return self._finish(record, _FAILED, None, _over(record))
        return self._finish(record, _FAILED, None, None, is_cancelled=True)

    def cancel_task(self, task_record: TaskRecord, app_fu: AppFuture[Any]) -> bool:
        """Cancel a task if that is still possible; see :meth:`AppFuture.cancel`."""
        exec_fu = self._graph.in_flight(task_record)
        if exec_fu is not None and not exec_fu.cancel():
            return app_fu.cancelled()
        # Either the executor's future has brought the news already, or it is brought here.
        work_loop.run_now(self._finish_cancelled, task_record)
        return app_fu.cancelled()

    def wipe_task(self, task_id: int) -> None:
        """Forget a task that is done."""
        self._graph.wipe(task_id)

    def render_future_description(self, dep: Future[Any]) -> str:
        """Name a future in an error message."""
        return describe_future(dep)

    # The kernel's own life

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
        counts = ", ".join(f"{state.name}: {count}" for state, count in self.task_state_counts.items())
        logger.info("Tasks: %d; by state: %s", self.task_count, counts)

    def cleanup(self) -> None:
        """End the run: shut the executors down, and fail what is not done. Later calls do nothing."""
        with self._cleanup_lock:
            if self.cleanup_called:
                return
            self.cleanup_called = True
        from contextlib import ExitStack

        # In reverse order, each whatever the one before it raises.
        with ExitStack() as steps:
            steps.callback(self._end_logging)
            steps.callback(logger.info, "Cleanup of %r is done", self)
            steps.callback(exit_hook.no_more, self)
            steps.callback(self._fail_unfinished)
            steps.callback(self._executors.shut_down)
            steps.callback(self.log_task_states)

    def _fail_unfinished(self) -> None:
        for record in self._graph.unfinished():
            work_loop.run_now(self._finish, record, _FAILED, None, _over(record))

    def atexit_cleanup(self) -> None:
        """Clean up because Python ends."""
        if self._graph.unfinished():
            logger.warning(
                "Python ends with unfinished tasks in %r. "
                "To wait for them, call parsl.wait_for_current_tasks()", self,
            )  # fmt: skip
        self.cleanup()

    def __enter__(self) -> DataFlowKernel:
        return self

    def __exit__(self, exc_type: object, exc_value: object, traceback: object) -> None:
        mode = self._config.exit_mode
        if mode == "skip":
            return
        try:
            if mode == "wait" and exc_type is None:
                self.wait_for_current_tasks()
        finally:
            self.cleanup()
            DataFlowKernelLoader.forget(self)

    def __repr__(self) -> str:
        state = "cleaned up" if self.cleanup_called else "running"
        return f"<{type(self).__name__} {state}, {self._graph!r}, {self._executors!r}>"


def _is_callers_mistake(error: BaseException) -> bool:
    from parsl.executors.errors import InvalidResourceSpecification

    return isinstance(error, InvalidResourceSpecification)


def _over(record: TaskRecord) -> DataFlowException:
    return DataFlowException(
        f"Task {record.id} ({record.func_name}) was {record.status.name} when the run was over: the kernel "
        "was cleaned up before the task was done. To wait for all tasks, use Config(exit_mode='wait'), or "
        "call parsl.wait_for_current_tasks() at the end"
    )


def _run_callbacks(app_fu: AppFuture[Any], callbacks: Callbacks) -> None:
    """Run the kernel's own callbacks, and the users' after what those have made ready.

    So a user's callback may wait for a task that depends on the one that has just ended.
    """
    if type(callbacks) is not list:
        app_fu._run_callbacks(callbacks)
        return
    users = []
    for callback in callbacks:
        if type(callback) is MethodType and callback.__func__ in _KERNEL_CALLBACKS:
            callback(app_fu)
        else:
            users.append(callback)
    if users:
        work_loop.run_soon(app_fu._run_callbacks, users)


def _wait(future: Future[Any]) -> None:
    from concurrent.futures import CancelledError

    try:
        future.exception()
    except CancelledError:
        pass
