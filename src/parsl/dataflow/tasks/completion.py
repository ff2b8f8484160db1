"""The end of a task: the one way from an outcome to the task's future."""

from __future__ import annotations

from concurrent.futures import CancelledError, InvalidStateError
from logging import getLogger
from types import MethodType

from parsl.common.threads import at_end
from parsl.dataflow.taskrecord import TaskRecord
from parsl.dataflow.tasks.event_rows import BATCH, pack_plain
from parsl.dataflow.tasks.failure_log import FailureLog
from parsl.dataflow.work_loop import work_loop
from parsl.eventlog import CANCELLED, DEPENDENCY_FAILED, FAILED
from parsl.vocabulary.dataflow_errors import DataFlowException
from parsl.vocabulary.run_observer import USAGE_BYTES
from parsl.vocabulary.task_states import States

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future
    from typing import Any

    from parsl.dataflow.tasks.event_feed import EventFeed
    from parsl.dataflow.tasks.graph import TaskGraph
    from parsl.dataflow.tasks.task_log import TaskLog
    from parsl.dataflow.tasks.task_memo import TaskMemo
    from parsl.vocabulary.lean_future import Callback, Callbacks, LeanFuture

logger = getLogger(__name__)

_FAILED = States.failed

#: The error of :meth:`Completion.complete` for a task that was cancelled.
CANCELLATION = CancelledError()


class Completion:
    """Ends tasks: counts them, reports failures, updates the memoizer, and completes futures.

    Any thread may call it. If several threads end one task, the first one does.
    """

    def __init__(
        self,
        graph: TaskGraph,
        memo: TaskMemo,
        failures: FailureLog | None,
        task_log: TaskLog,
        events: EventFeed | None,
        *,
        drops_payload: bool,
    ) -> None:
        self._graph = graph
        self._memo = memo
        self._failures = failures
        self.task_log = task_log
        self.events = events
        self._drops_payload = drops_payload
        self.is_run_over = False

    def complete(
        self, record: TaskRecord, status: States, result: Any = None, error: BaseException | None = None
    ) -> bool:
        """End a task; False if it has ended already. :data:`CANCELLATION` as the error means cancelled.

        The counts and the memoizer are up to date when the task's future is done.
        """
        app_fu = self._graph.finish(record, status, error is CANCELLATION)
        if app_fu is None:
            return False
        if (events := self.events) is not None:
            # Without a call for most tasks, which would double what this costs.
            try:
                is_plain = record.is_plain and error is None
                used = record.exec_fu.attempt_usage if is_plain else b""  # type: ignore[union-attr]
                row = (
                    pack_plain(record.id, record.invoked_s, record.launched_s, record.returned_s, used)
                    if len(used) == USAGE_BYTES
                    else None
                )
            except Exception:  # another project's executor has made the future, for instance
                row = None
            if row is None:
                events.ended(record, error)
            else:
                queue = events.plain
                if record.func is not queue.func or record.executor is not queue.label:
                    queue = events.plain_of(record)
                queue.add(row)
        if self.task_log.is_on:
            self.task_log.state(record)
        if error is CANCELLATION:
            self.log_failure(record, None, CANCELLED, record.try_id + 1, record.exec_fu)
        elif error is not None:
            outcome = DEPENDENCY_FAILED if status is States.dep_fail else FAILED
            self.log_failure(record, error, outcome, record.try_id + 1, record.exec_fu)
        memo = self._memo
        if record.memoize or memo.covers_all:
            work_loop.run_now(self._complete_with_memo, record, app_fu, result, error)
        else:
            self._settle(record, app_fu, result, error)
        if events is not None and not record.id % BATCH:  # nearly every so many tasks; counting takes longer
            events.encode()
        return True

    def _complete_with_memo(
        self, record: TaskRecord, app_fu: LeanFuture[Any], result: Any, error: BaseException | None
    ) -> None:
        memo = self._memo
        if record.from_memo:
            if memo.commits:
                memo.commit([])  # the result may just have been found, and not be permanent yet
        elif memo.commits and error is None:
            memo.uncommitted.append((record, result))
            if not at_end(self._run_commit):
                work_loop.run_soon(self._commit)
            return
        else:
            memo.report(record, result, CancelledError() if error is CANCELLATION else error)
        self._settle(record, app_fu, result, error)

    def _settle(
        self, record: TaskRecord, app_fu: LeanFuture[Any], result: Any, error: BaseException | None
    ) -> None:
        if self._drops_payload:
            record.drop_payload()
        try:
            if error is CANCELLATION:
                callbacks = app_fu._finish("CANCELLED_AND_NOTIFIED", None, None)
            else:
                callbacks = app_fu._finish("FINISHED", result, error)
        except InvalidStateError:
            logger.error("The result of task %d was set by other code: %r", record.id, app_fu)
            callbacks = None
        self._graph.finishing.pop(app_fu, None)
        if callbacks is not None:
            work_loop.run_now(_run_callbacks, app_fu, callbacks)

    def _run_commit(self) -> None:
        work_loop.run_now(self._commit)

    def _commit(self) -> None:
        # The queue is emptied before the commit, which does not cover what is added meanwhile.
        ended = self._memo.take_queue()
        if not ended:
            return
        try:
            self._memo.commit(ended)
        finally:  # after an interrupt, too: no other thread completes them
            self._settle_all(ended)

    def _settle_all(self, results: Iterable[tuple[TaskRecord, Any]]) -> None:
        rest = iter(results)
        try:
            for record, result in rest:
                assert record.app_fu is not None
                self._settle(record, record.app_fu, result, None)
        finally:
            left = list(rest)
            if left:  # an interrupt (KeyboardInterrupt) must not lose the others
                work_loop.run_soon(self._settle_all, left)

    def log_failure(
        self,
        record: TaskRecord,
        error: BaseException | None,
        outcome: str,
        attempt: int,
        exec_fu: Future[Any] | None,
    ) -> None:
        # Failures due to the end of the run are counted, not listed, because there may be a million.
        if self.is_run_over:
            return
        if self._failures is not None:
            self._failures.add(record, error, outcome, attempt)
        if self.events is not None:
            self.events.failed(record, error, outcome, attempt - 1, exec_fu)

    def complete_cancelled(self, record: TaskRecord) -> bool:
        """End a task whose attempt was cancelled; False if it has ended already."""
        return self.complete(record, _FAILED, error=_over(record) if self.is_run_over else CANCELLATION)

    def cancel(self, record: TaskRecord, app_fu: LeanFuture[Any]) -> bool:
        """Cancel a task if that is still possible; see :meth:`AppFuture.cancel`."""
        exec_fu = self._graph.in_flight(record)
        if exec_fu is not None and not exec_fu.cancel():
            return app_fu.cancelled()
        # The callback of the executor's future may have ended the task already.
        self.complete_cancelled(record)
        # First whether another thread is about to complete the future: it does that before it forgets it.
        return self._graph.finishing.get(app_fu, False) or app_fu.cancelled()

    def abandon(self, record: TaskRecord) -> None:
        """Fail a task because the run is over."""
        self.complete(record, _FAILED, error=_over(record))

    def abandon_all(self) -> None:
        for record in self._graph.unfinished():
            self.abandon(record)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'run over' if self.is_run_over else 'running'}, {self._graph!r}>"


def _run_callbacks(app_fu: LeanFuture[Any], callbacks: Callbacks) -> None:
    """Run the kernel's own callbacks (task records, and methods bound to one), and then the users'.

    In between runs what the former have made ready, so a user's callback may wait for a dependent task.
    """
    if type(callbacks) is not list:
        app_fu._run_callbacks(callbacks)
        return
    users: list[Callback] = []
    for callback in callbacks:
        owner = callback.__self__ if type(callback) is MethodType else callback
        if type(owner) is TaskRecord:
            callback(app_fu)
        else:
            users.append(callback)
    if users:
        work_loop.run_soon(app_fu._run_callbacks, users)


def _over(record: TaskRecord) -> DataFlowException:
    return DataFlowException(
        f"Task {record.id} ({record.func_name}) was {record.status.name} when the run was over: the kernel "
        "was cleaned up before the task was done. To wait for all tasks, use Config(exit_mode='wait'), or "
        "call parsl.wait_for_current_tasks() at the end"
    )
