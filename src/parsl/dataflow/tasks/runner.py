"""Taking a task from its call to its result."""

from __future__ import annotations

from concurrent.futures import CancelledError, Future, InvalidStateError
from logging import getLogger
from time import time
from types import MethodType

from parsl.dataflow.futures import AppFuture
from parsl.dataflow.taskrecord import TaskRecord
from parsl.dataflow.tasks import retries
from parsl.dataflow.tasks.dependencies import failures_of
from parsl.dataflow.tasks.failure_log import CANCELLED, DEPENDENCY_FAILED, FAILED, TRIED_AGAIN, add_task_facts
from parsl.dataflow.tasks.in_process import InProcessExecutor
from parsl.dataflow.tasks.joining import cycle_error, joined_futures, joined_result
from parsl.dataflow.tasks.submission import is_callers_mistake, submit_to
from parsl.dataflow.work_loop import work_loop
from parsl.vocabulary.app_errors import RemoteExceptionWrapper
from parsl.vocabulary.dataflow_errors import DataFlowException, DependencyError, JoinError
from parsl.vocabulary.task_states import States

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from parsl.config import Config
    from parsl.dataflow.memo.task_memo import TaskMemo
    from parsl.dataflow.run.executor_set import ExecutorSet
    from parsl.dataflow.tasks.dependencies import Dependencies
    from parsl.dataflow.tasks.failure_log import FailureLog
    from parsl.dataflow.tasks.graph import TaskGraph
    from parsl.executors.base import ParslExecutor
    from parsl.vocabulary.lean_future import Callbacks

logger = getLogger(__name__)

_EXEC_DONE = States.exec_done
_FAILED = States.failed
_DEP_FAIL = States.dep_fail

IN_PROCESS = InProcessExecutor()

_KERNEL_CALLBACKS = (TaskRecord.dependency_done, TaskRecord.join_done)


class TaskRunner:
    """Waits for what a task depends on, launches it, tries again, joins, and ends it.

    It has no thread: whoever brings news does the work that follows from it, step by step in the
    thread's :data:`work_loop`. Any thread may call it. The graph decides, under its lock; this acts.

    Args:
        config: The configuration of the kernel.
        graph: Where the tasks stand.
        dependencies: How futures in arguments are replaced.
        executors: Where tasks run.
        failures: Where failures are noted; None: nowhere.

    Attributes:
        is_over: Whether the run has ended: what fails now is not tried again.
        memo: What is asked whether a task has to run; None: nobody.
    """

    def __init__(
        self,
        config: Config,
        graph: TaskGraph,
        dependencies: Dependencies,
        executors: ExecutorSet,
        failures: FailureLog | None,
    ) -> None:
        self._config = config
        self._failures = failures
        self._graph = graph
        self._dependencies = dependencies
        self._executors = executors
        self.is_over = False
        self.memo: TaskMemo | None = None

    def start(self, record: TaskRecord, depends: list[Future[Any]] | None) -> BaseException | None:
        """Launch a task once its dependencies are done.

        Returns:
            What its executor has said against it, if it was launched at once and in vain.
        """
        if depends is None:
            return self._launch(record, record.args, record.kwargs)
        return self._start_after(record, depends)

    # Dependencies

    def _start_after(self, record: TaskRecord, depends: list[Future[Any]]) -> BaseException | None:
        record.depends = depends
        self._graph.expect(record, len(depends) + 1)
        for future in depends:
            future.add_done_callback(record.dependency_done)
        # The one count more than there are futures is taken off here, so that this thread knows
        # whether it is the one to go on.
        return self._advance(record) if self._graph.count_down(record) else None

    def dependency_done(self, record: TaskRecord) -> None:
        """A future that a task depends on is done."""
        if self._graph.count_down(record):
            work_loop.run_soon(self._advance, record)

    def _advance(self, record: TaskRecord) -> BaseException | None:
        """Launch a task whose dependencies are done, or fail it with them."""
        depends = record.depends
        if not depends:
            return self._launch(record, record.args, record.kwargs)
        try:
            failures = failures_of(depends, record)
            if failures:
                self._fail_with(record, _DEP_FAIL, DependencyError(failures, record.id))
                return None
            args, kwargs = self._dependencies.unwrap(record.args, record.kwargs)
        except Exception as error:  # of a resolver, or of a foreign future
            self._fail_with(record, _FAILED, error)
            return None
        return self._launch(record, args, kwargs)

    # Attempts

    def _launch(
        self, record: TaskRecord, args: Iterable[Any], kwargs: dict[str, Any], is_admitted: bool = False
    ) -> BaseException | None:
        """Give a task to its executor, unless its outcome is known, or it has to wait for others of its app.

        Returns:
            What the executor says against it.
        """
        memo = self.memo
        if (
            memo is not None
            and (record.memoize or memo.asks_always)
            and not is_admitted
            and memo.answers(record, args, kwargs)
        ):
            return None
        special = record.special
        limit = None if special is None else special.concurrency_limit
        if limit is not None and not is_admitted and not limit.admits(record, args, kwargs):
            return None
        try:
            executor = self._executor_of(record)
            exec_fu = submit_to(executor, record.func, special, args, kwargs)
        except BaseException as error:
            if limit is not None:
                limit.release()
            self._not_launched(record, error)
            if not isinstance(error, Exception):
                raise
            return error
        if self._graph.launched(record, exec_fu):
            exec_fu.add_done_callback(record)
        else:
            exec_fu.cancel()  # the task was cancelled in the meantime
        if limit is not None:
            exec_fu.add_done_callback(limit.release)
        return None

    def launch_admitted(self, record: TaskRecord, args: Iterable[Any], kwargs: dict[str, Any]) -> None:
        """Give a task to its executor that its app's limit has let through after a while."""
        self._launch(record, args, kwargs, is_admitted=True)

    def start_over(self, record: TaskRecord) -> None:
        """Ask again, and launch a task whose outcome another one was to bring and has not."""
        if self.is_over:
            self.abandon(record)
        else:
            self._advance(record)

    def _executor_of(self, record: TaskRecord) -> ParslExecutor:
        if record.executor == IN_PROCESS.label:
            return IN_PROCESS
        return self._executors.by_label[record.executor]

    def _not_launched(self, record: TaskRecord, error: BaseException) -> None:
        if isinstance(error, Exception) and not is_callers_mistake(error):
            work_loop.run_now(self._attempt_failed, record, error)
        else:
            self._finish(record, _FAILED, None, error)

    def attempt_ended(self, record: TaskRecord, exec_fu: Future[Any]) -> None:
        """An executor's future is done."""
        try:
            work_loop.run_now(self._attempt_ended, record, exec_fu)
        except Exception as error:  # of a foreign future: its task must end, too
            logger.exception("The end of %r could not be taken in: %r", record, exec_fu)
            self._finish(record, _FAILED, None, error)

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
        if type(result) is RemoteExceptionWrapper:  # isinstance makes a lazy object fetch
            self._attempt_failed(record, result.get_exception())
        elif record.join:
            self._begin_joining(record, result)
        else:
            self._finish(record, _EXEC_DONE, result, None)

    def _resolve_arguments(self, record: TaskRecord) -> None:
        """Have a task's arguments be those that its executor got, for a retry_handler to read and change."""
        args: Iterable[Any] = record.args
        if record.depends:
            args, record.kwargs = self._dependencies.unwrap(record.args, record.kwargs)
            record.depends = ()  # a result that is a future, too, is not to be looked into next time
        record.args = list(args)

    def _attempt_failed(self, record: TaskRecord, error: BaseException) -> None:
        retries.name_attempt(record, error)
        if not self.is_over:
            add_task_facts(record, error, record.try_id + 1)
        if retries.is_job_end(error) and not self.is_over:
            if retries.record_job_end(record, error):
                self._try_again(record, error)
                return
            error = retries.too_many_job_ends(record, error)
        try:
            if self._config.retry_handler is not None:
                self._resolve_arguments(record)
            retries.record_failure(record, error, self._config.retry_handler)
        except DataFlowException as handler_error:
            error = handler_error
        else:
            if retries.is_worth_another_attempt(record, self._config.retries) and not self.is_over:
                if not retries.is_poison(record):
                    self._try_again(record, error)
                    return
                error = retries.too_many_worker_losses(record, error)
        if self._finish(record, _FAILED, None, error):
            logger.error(
                "Task %d (%s) has failed, after %d retries", record.id, record.func_name, record.try_id,
                exc_info=error,
            )  # fmt: skip

    def _try_again(self, record: TaskRecord, error: BaseException) -> None:
        if self._graph.attempt_failed(record):
            self._note_failure(record, error, TRIED_AGAIN, record.try_id)
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
            futures = joined_futures(record.func_name, returned)
        except TypeError as error:
            self._finish(record, _FAILED, None, error)
            return
        if self._graph.joining(record, returned):  # type: ignore[arg-type]
            # Only now: of two that wait for each other, the second to come here sees it.
            if (cycle := cycle_error(futures, record)) is not None:
                self._fail_with(record, _FAILED, cycle)
                return
            self._graph.expect(record, len(futures) + 1)
            for future in futures:
                future.add_done_callback(record.join_done)
            self.join_done(record)

    def join_done(self, record: TaskRecord) -> None:
        """A future that a join app has returned is done."""
        if self._graph.count_down(record):
            work_loop.run_soon(self._finish_joining, record)

    def _finish_joining(self, record: TaskRecord) -> None:
        joins = record.joins
        if joins is None:
            return
        try:
            failures = failures_of([joins] if isinstance(joins, Future) else joins, record)
            if failures:
                self._fail_with(record, _FAILED, JoinError(failures, record.id))
                return
            result = joined_result(joins)
        except Exception as error:  # of a foreign future
            self._fail_with(record, _FAILED, error)
            return
        self._finish(record, _EXEC_DONE, result, None)

    # The end of a task

    def fail(self, record: TaskRecord, error: Exception) -> None:
        """Fail a task that cannot be launched."""
        self._fail_with(record, _FAILED, error)

    def finish_from_memo(
        self, record: TaskRecord, status: States, result: Any, error: BaseException | None
    ) -> None:
        """End a task with the outcome of another one."""
        self._finish(record, status, result, error)

    def _fail_with(self, record: TaskRecord, status: States, error: Exception) -> None:
        logger.info("Task %d (%s) has failed: %s", record.id, record.func_name, error)
        self._finish(record, status, None, error)

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
        if status is not _EXEC_DONE and (error is not None or is_cancelled):
            outcome = CANCELLED if is_cancelled else DEPENDENCY_FAILED if status is _DEP_FAIL else FAILED
            self._note_failure(record, error, outcome, record.try_id + 1)
        memo = self.memo
        if memo is not None and (record.memoize or memo.asks_always):
            if memo.commits and error is None and not is_cancelled:
                memo.finish_after_commit(record, result)
                return True
            memo.tell(record, result, CancelledError() if is_cancelled else error)
        self.settle(record, app_fu, result, error, is_cancelled)
        return True

    def _note_failure(
        self, record: TaskRecord, error: BaseException | None, outcome: str, attempt: int
    ) -> None:
        # What fails because the run is over is counted, not listed: it may be a million tasks.
        if self._failures is not None and not self.is_over:
            executor = self._executors.by_label.get(record.executor)
            self._failures.add(record, error, outcome, attempt, executor)

    def settle(
        self,
        record: TaskRecord,
        app_fu: AppFuture[Any],
        result: Any,
        error: BaseException | None,
        is_cancelled: bool = False,
    ) -> None:
        """Finish the future of a task that has ended."""
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

    def _finish_cancelled(self, record: TaskRecord) -> bool:
        if self.is_over:
            return self._finish(record, _FAILED, None, _over(record))
        return self._finish(record, _FAILED, None, None, is_cancelled=True)

    def cancel(self, record: TaskRecord, app_fu: AppFuture[Any]) -> bool:
        """Cancel a task if that is still possible; see :meth:`AppFuture.cancel`."""
        exec_fu = self._graph.in_flight(record)
        if exec_fu is not None and not exec_fu.cancel():
            return app_fu.cancelled()
        # Either the executor's future has brought the news already, or it is brought here.
        work_loop.run_now(self._finish_cancelled, record)
        return app_fu.cancelled()

    def abandon_all(self) -> None:
        """Fail the tasks that have not ended when the run is over."""
        for record in self._graph.unfinished():
            self.abandon(record)

    def abandon(self, record: TaskRecord) -> None:
        """Fail a task because the run is over."""
        work_loop.run_now(self._finish, record, _FAILED, None, _over(record))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'over' if self.is_over else 'running'}, {self._graph!r}>"


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
