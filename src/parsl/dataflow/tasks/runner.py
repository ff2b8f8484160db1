"""The way of a task from its call to its outcome."""

from __future__ import annotations

from concurrent.futures import CancelledError, Future
from functools import partial
from logging import getLogger
from time import time
from types import MethodType

from parsl.dataflow.dependencies import Dependencies, cycle_error, failures_of, joined_futures
from parsl.dataflow.futures import AppFuture, kept_among, unopened
from parsl.dataflow.tasks import retries
from parsl.dataflow.tasks.failure_log import add_task_facts
from parsl.dataflow.tasks.graph import IS_FINAL, TaskGraph
from parsl.dataflow.tasks.task_memo import TaskMemo, outcome_of
from parsl.dataflow.work_loop import work_loop
from parsl.eventlog import TRIED_AGAIN
from parsl.vocabulary.app_errors import task_failure
from parsl.vocabulary.dataflow_errors import DependencyError, JoinError
from parsl.vocabulary.kept_value import KeptValue
from parsl.vocabulary.packed_errors import RemoteExceptionWrapper
from parsl.vocabulary.task_states import States

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from parsl.dataflow.config import Config
    from parsl.dataflow.run.executor_set import ExecutorSet
    from parsl.dataflow.taskrecord import TaskRecord
    from parsl.dataflow.tasks.completion import Completion

logger = getLogger(__name__)

_EXEC_DONE = States.exec_done
_FAILED = States.failed

#: The parameters of an executor's ``submit``: a task's argument of such a name cannot pass as a keyword.
_TAKEN_NAMES = frozenset({"self", "func", "resource_specification"})


class TaskRunner:
    """Waits for the dependencies of a task, submits and retries it, and waits for the futures that it joins.

    The runner has no thread: the thread that completes a future does the work that follows, step by step in
    the thread's :data:`work_loop`. Any thread may call the methods. The graph decides, under its lock; the
    runner acts; :class:`Completion` ends tasks.

    The callback of an executor's future is the task record. Those of other futures are methods of the runner
    that are bound to a record: a bound method is the smallest object that holds both.
    """

    def __init__(
        self,
        config: Config,
        graph: TaskGraph,
        dependencies: Dependencies,
        executors: ExecutorSet,
        memo: TaskMemo,
        completion: Completion,
    ) -> None:
        self._config = config
        self._graph = graph
        self._dependencies = dependencies
        self._executors = executors
        self._memo = memo
        self._completion = completion
        self._complete = completion.complete
        self._task_log = completion.task_log
        self._events = completion.events
        # Bound once, not for each task.
        self._on_awaited_done = self._awaited_done
        self._on_found = self._memo_done
        self._on_fetched = self.attempt_ended

    def start_after(self, record: TaskRecord, depends: list[Future[Any]]) -> BaseException | None:
        """Launch a task when its dependencies are done. Returns the error of an immediate submission."""
        record.depends = depends
        record.is_plain = False
        if (events := self._events) is not None and events.is_asleep:
            events.wake()
        self._graph.expect(record, len(depends) + 1)
        done = MethodType(self._on_awaited_done, record)
        for future in depends:
            future.add_done_callback(done)
        # One more than there are futures is expected, so that this thread knows whether it continues.
        return self._advance(record) if self._graph.count_down(record) else None

    def _awaited_done(self, record: TaskRecord, _: Future[Any] | None) -> None:
        """Continue with a task if no other dependency, or future that it joins, is left."""
        if self._graph.count_down(record):
            work_loop.run_soon(self._advance if record.joins is None else self._finish_joining, record)

    def _advance(self, record: TaskRecord) -> BaseException | None:
        """Launch a task whose dependencies are done, or fail it if they have failed."""
        depends = record.depends
        if not depends:
            return self.launch(record, record.args, record.kwargs)
        try:
            failures = failures_of(depends, record)
            if failures:
                self._fail(record, DependencyError(failures, record.id), States.dep_fail)
                return None
            if (kept := kept_among(depends)) and not self._can_hand_on(record, kept):
                self._open(record, kept)
                return None
            args, kwargs = self._dependencies.unwrap(record.args, record.kwargs)
        except Exception as error:  # of a resolver, or of a foreign future
            self._fail(record, error)
            return None
        refusal = self.launch(record, args, kwargs)
        self._report_change(record)
        return refusal

    def _can_hand_on(self, record: TaskRecord, kept: list[AppFuture[Any]]) -> bool:
        """Return whether a task needs results that are kept elsewhere only where it runs."""
        memo = self._memo
        if record.memoize or memo.covers_all or self._config.retry_handler is not None:
            return False  # the memoizer and the handler read arguments
        owner = self._executors.find(record.executor)
        values = [unopened(future) for future in kept]
        are_its_own = all(type(value) is KeptValue and value.owner is owner for value in values)
        return are_its_own and self._dependencies.hands_on_kept

    def _open(self, record: TaskRecord, kept: list[AppFuture[Any]]) -> None:
        """Fetch results that are kept elsewhere, and continue with the task when they are here."""
        self._graph.expect(record, len(kept) + 1)
        done = MethodType(self._on_awaited_done, record)
        for future in kept:
            future.open_then(done)
        done(None)

    def launch(
        self, record: TaskRecord, args: Iterable[Any], kwargs: dict[str, Any], is_admitted: bool = False
    ) -> BaseException | None:
        """Submit a task to its executor, unless its outcome is known, or it waits for others of its app.

        The arguments contain results in the place of futures. Returns the error of the submission.
        """
        memo = self._memo
        if (record.memoize or memo.covers_all) and not is_admitted and self._is_known(record, args, kwargs):
            return None
        special = record.special
        limit = None if special is None else special.concurrency_limit
        if limit is not None and not is_admitted:
            launch = partial(self._launch_admitted, record, args, kwargs)
            if not limit.admits(launch):
                return None
        try:
            exec_fu = self._submit(record, args, kwargs)
        except BaseException as error:
            if limit is not None:
                limit.release()
            self._submission_failed(record, error)
            if not isinstance(error, Exception):
                raise
            return error
        if self._graph.launched(record, exec_fu):
            if (events := self._events) is not None and events.is_asleep:
                events.wake()
            if self._task_log.is_on:
                self._task_log.launched(record, getattr(exec_fu, "parsl_executor_task_id", None))
            exec_fu.add_done_callback(record)
        else:
            exec_fu.cancel()  # the task was cancelled meanwhile
        if limit is not None:
            exec_fu.add_done_callback(limit.release)
        return None

    def _launch_admitted(self, record: TaskRecord, args: Iterable[Any], kwargs: dict[str, Any]) -> None:
        if not IS_FINAL[record.status]:
            self.launch(record, args, kwargs, is_admitted=True)
            self._report_change(record)
        elif record.special is not None and record.special.concurrency_limit is not None:
            record.special.concurrency_limit.release()

    def _submit(self, record: TaskRecord, args: Iterable[Any], kwargs: dict[str, Any]) -> Future[Any]:
        executor = self._executors.find(record.executor)
        func = record.func
        specification: dict[str, Any] = {}
        special = record.special
        if special is not None:
            if special.staged_func is not None:
                func = special.staged_func
            specification.update(special.resource_specification)
            if special.walltime_s is not None:
                if getattr(executor, "enforces_walltime", False):
                    specification["walltime_s"] = special.walltime_s
                elif not getattr(func, "enforces_walltime", False):
                    from parsl.executors.local.interrupt import limit_walltime

                    func = limit_walltime(func, special.walltime_s)
        if (wrap := getattr(executor, "wrap_function", None)) is not None:
            func = wrap(func, record.id, record.try_id)
        if kwargs and not _TAKEN_NAMES.isdisjoint(kwargs):
            func, kwargs = partial(func, **kwargs), {}
        return executor.submit(func, specification, *args, **kwargs)

    def _submission_failed(self, record: TaskRecord, error: BaseException) -> None:
        if isinstance(error, Exception) and not is_callers_mistake(error):
            work_loop.run_now(self._attempt_failed, record, error)
        else:
            self._complete(record, _FAILED, error=error)

    def _is_known(self, record: TaskRecord, args: Iterable[Any], kwargs: dict[str, Any]) -> bool:
        """Whether a task need not be launched, because it has ended, or will get its outcome otherwise."""
        try:
            found = self._memo.find(record, args, kwargs)
        except Exception as error:
            self._fail(record, error)
            return True
        if found is None:
            if not IS_FINAL[record.status]:
                return False
            # The task was cancelled while the memoizer assigned the call to it.
            self._memo.report(record, None, CancelledError())
        elif found.done():
            work_loop.run_now(self._take, record, found)
        else:
            found.add_done_callback(MethodType(self._on_found, record))
        return True

    def _memo_done(self, record: TaskRecord, found: Future[Any]) -> None:
        work_loop.run_soon(self._take, record, found)

    def _take(self, record: TaskRecord, found: Future[Any]) -> None:
        """End a task with the outcome that the memoizer has found, or start it over."""
        if IS_FINAL[record.status]:
            return
        outcome = outcome_of(found)
        if outcome is not None:
            result, error = outcome
            record.from_memo = True
            self._complete(record, States.memo_done if error is None else _FAILED, result, error)
        elif self._completion.is_run_over:
            self._completion.abandon(record)
        else:
            self._advance(record)

    def attempt_ended(self, record: TaskRecord, exec_fu: Future[Any]) -> None:
        """Continue with a task whose executor's future is done."""
        record.attempt_returned_s = time()
        try:
            if exec_fu.cancelled():
                self._completion.complete_cancelled(record)
                return
            error = exec_fu.exception()
            result = exec_fu.result() if error is None else None
            if type(result) is RemoteExceptionWrapper:  # isinstance makes a lazy object fetch its target
                error = result.get_exception()
            if error is not None:
                if not isinstance(error, Exception):  # such as SystemExit, which would end the user's script
                    error = task_failure(error)
                work_loop.run_now(self._attempt_failed, record, error)
            elif record.join:
                work_loop.run_now(self._join, record, result)
            elif type(result) is KeptValue:
                self._keep(record, result)
            else:
                self._complete(record, _EXEC_DONE, result)
        except Exception as unexpected:  # of a foreign future: its task must end, too
            logger.exception("The outcome of %r could not be processed: %r", record, exec_fu)
            self._complete(record, _FAILED, error=unexpected)

    def _keep(self, record: TaskRecord, kept: KeptValue) -> None:
        """Complete a task whose result has stayed in its executor's engine, unless it is needed now."""
        if record.memoize or self._memo.covers_all:
            kept.fetch().add_done_callback(MethodType(self._on_fetched, record))
        else:
            self._complete(record, _EXEC_DONE, kept)

    def _resolve_arguments(self, record: TaskRecord) -> None:
        """Put results in the place of futures, for a retry_handler to read and change the arguments."""
        args: Iterable[Any] = record.args
        if record.depends:
            args, record.kwargs = self._dependencies.unwrap(record.args, record.kwargs)
            record.depends = ()  # a result that is a future, too, must not be replaced next time
        record.args = list(args)

    def _attempt_failed(self, record: TaskRecord, error: BaseException) -> None:
        """Retry a task, or fail it."""
        is_run_over = self._completion.is_run_over
        retries.name_attempt(record, error)
        if not is_run_over:
            add_task_facts(record, error, record.try_id + 1)
            if retries.is_job_end(error):
                if retries.record_job_end(record, error):
                    self._try_again(record, error)
                    return
                error = retries.too_many_job_ends(record, error)
        try:
            if self._config.retry_handler is not None:
                self._resolve_arguments(record)
            retries.record_failure(record, error, self._config.retry_handler)
        except Exception as handler_error:
            error = handler_error
        else:
            if record.fail_cost <= self._config.retries and not is_run_over:
                if not retries.is_poison(record):
                    self._try_again(record, error)
                    return
                error = retries.too_many_worker_losses(record, error)
        if self._complete(record, _FAILED, error=error):
            logger.error(
                "Task %d (%s) has failed after %d retries", record.id, record.func_name, record.try_id,
                exc_info=error,
            )  # fmt: skip

    def _try_again(self, record: TaskRecord, error: BaseException) -> None:
        exec_fu = record.exec_fu
        if self._graph.attempt_failed(record):
            self._report_state(record)
            self._completion.log_failure(record, error, TRIED_AGAIN, record.try_id, exec_fu)
            logger.info(
                "Task %d (%s) will be retried: attempt %d failed with %r (cost so far %s of %s)",
                record.id, record.func_name, record.try_id, error, record.fail_cost, self._config.retries,
            )  # fmt: skip
            work_loop.run_soon(self._begin_next_attempt, record)

    def _report_state(self, record: TaskRecord) -> None:
        self._report_change(record)
        if self._task_log.is_on:
            self._task_log.state(record)

    def _report_change(self, record: TaskRecord) -> None:
        if (events := self._events) is not None:
            events.changed(record.id)
            if events.is_asleep:
                events.wake()

    def _begin_next_attempt(self, record: TaskRecord) -> None:
        if self._graph.pending_again(record):
            self._report_state(record)
            self._advance(record)

    def _join(self, record: TaskRecord, returned: object) -> None:
        """Wait for the futures that a join app has returned."""
        try:
            futures = joined_futures(record.func_name, returned)
        except TypeError as error:
            self._complete(record, _FAILED, error=error)
            return
        if self._graph.joining(record, returned):  # type: ignore[arg-type]
            self._report_state(record)
            # Only now: of two tasks that wait for each other, the second one finds the cycle.
            if (cycle := cycle_error(futures, record)) is not None:
                self._fail(record, cycle)
                return
            self._graph.expect(record, len(futures) + 1)
            done = MethodType(self._on_awaited_done, record)
            for future in futures:
                future.add_done_callback(done)
            if self._graph.count_down(record):
                work_loop.run_soon(self._finish_joining, record)

    def _finish_joining(self, record: TaskRecord) -> None:
        joins = record.joins
        if joins is None:
            return
        try:
            failures = failures_of([joins] if isinstance(joins, Future) else joins, record)
            if failures:
                self._fail(record, JoinError(failures, record.id))
                return
            if kept := kept_among([joins] if isinstance(joins, Future) else joins):
                self._open(record, kept)
                return
            result = joins.result() if isinstance(joins, Future) else [future.result() for future in joins]
        except Exception as error:  # of a foreign future
            self._fail(record, error)
            return
        self._complete(record, _EXEC_DONE, result)

    def _fail(self, record: TaskRecord, error: Exception, status: States = _FAILED) -> None:
        """Fail a task for a reason outside of its attempts."""
        logger.info("Task %d (%s) has failed: %s", record.id, record.func_name, error)
        self._complete(record, status, error=error)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._graph!r}>"


def is_callers_mistake(error: BaseException) -> bool:
    """Whether an executor refuses a task's resource specification, so that a retry cannot succeed."""
    from parsl.executors.errors import InvalidResourceSpecification

    return isinstance(error, InvalidResourceSpecification)
