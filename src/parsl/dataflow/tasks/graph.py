"""The tasks of a kernel and their states."""

from __future__ import annotations

import threading
from time import time

from parsl.errors import InternalConsistencyError
from parsl.vocabulary.task_states import FINAL_STATES, States

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future
    from typing import Any

    from parsl.dataflow.taskrecord import TaskRecord
    from parsl.vocabulary.lean_future import LeanFuture

_PENDING = States.pending
_LAUNCHED = States.launched

#: From each state that the kernel enters, the states that a task may enter next.
LEGAL_TRANSITIONS: Mapping[States, frozenset[States]] = {
    States.pending: frozenset(
        # failed: cancelled, or impossible to submit
        {States.launched, States.memo_done, States.dep_fail, States.failed, States.fail_retryable}
    ),
    States.launched: frozenset(
        {States.running, States.exec_done, States.failed, States.fail_retryable, States.joining}
    ),
    States.running: frozenset({States.exec_done, States.failed, States.fail_retryable, States.joining}),
    States.fail_retryable: frozenset({States.pending, States.failed}),
    States.joining: frozenset({States.exec_done, States.failed}),
    **{state: frozenset() for state in FINAL_STATES},
}

# By number in lists, because hashing an enum member is slow.
_NUMBERS = range(max(States) + 1)
#: For each state, by number: whether a task in it has ended.
IS_FINAL = [number in FINAL_STATES for number in _NUMBERS]
_IS_LEGAL = [
    [new in LEGAL_TRANSITIONS.get(old, ()) for new in _NUMBERS]  # type: ignore[call-overload]
    for old in _NUMBERS
]


class TaskGraph:
    """The state of every task, guarded by one lock. It decides; its callers act.

    Any thread may call it. Each method holds the lock for a few instructions and calls nothing that could
    wait. Of two threads that end the same task, the first to call :meth:`finish` does. Every transition is
    checked against :data:`LEGAL_TRANSITIONS`; an illegal one raises InternalConsistencyError.
    """

    def __init__(self, *, keep_finished: bool) -> None:
        self.tasks: dict[int, TaskRecord] = {}
        self.task_count = 0
        #: The tasks that got their numbers before they were added, since the last :meth:`added_since`; None
        #: before the first one.
        self._added_late: list[int] | None = None
        #: The futures of tasks that have ended, until they are done, and whether they will be cancelled.
        self.finishing: dict[LeanFuture[Any], bool] = {}
        self._keep_finished = keep_finished
        self._finished_by_state = [0] * len(IS_FINAL)
        # Reentrant, because a signal handler or a finalizer may call an app in between.
        self._lock = threading.RLock()

    def new_id(self) -> int:
        """Return the number of the next task, which the caller adds soon."""
        with self._lock:
            number = self.task_count
            self.task_count = number + 1
            return number

    def add(self, record: TaskRecord) -> None:
        """Add a task. It gets a number unless it has one."""
        with self._lock:
            if record.id < 0:
                record.id = self.task_count
                self.task_count += 1
            elif self._added_late is not None:
                self._added_late.append(record.id)
            self.tasks[record.id] = record

    def added_since(self, known: int) -> tuple[int, list[int]]:
        """Return how many tasks there are, and the numbers of the new ones that are kept.

        Takes no time for tasks that have ended and are forgotten.

        Args:
            known: How many there were.
        """
        new = []
        with self._lock:
            late, self._added_late = frozenset(self._added_late or ()), []
            for record in reversed(self.tasks.values()):
                if record.id < known and record.id not in late:
                    break
                new.append(record.id)
            return self.task_count, new[::-1]

    def replace_tasks(self, tasks: dict[int, TaskRecord]) -> None:
        """Use another dictionary of tasks, to which the tasks that have not ended are added."""
        with self._lock:
            for record in self.tasks.values():
                if not IS_FINAL[record.status]:
                    tasks[record.id] = record
            self.tasks = tasks

    def launched(self, record: TaskRecord, exec_fu: Future[Any]) -> bool:
        """Note that a pending task was submitted to its executor. False: the task has ended meanwhile."""
        now_s = time()
        with self._lock:
            if not _enter(record, _LAUNCHED):
                return False
            record.exec_fu = exec_fu
            record.launched_s = now_s
            return True

    def running(self, record: TaskRecord, exec_fu: Future[Any]) -> bool:
        """Note that a task's attempt runs on a worker. False: it has ended meanwhile, or that was known."""
        with self._lock:
            if record.exec_fu is not exec_fu or record.status is not _LAUNCHED:
                return False
            return _enter(record, States.running)

    def expect(self, record: TaskRecord, number: int) -> None:
        """Make the ``number``-th call of :meth:`count_down` return True."""
        with self._lock:
            record.unmet = number

    def count_down(self, record: TaskRecord) -> bool:
        """Note that one of the futures a task waits for is done. True: it was the last."""
        with self._lock:
            record.unmet -= 1
            return record.unmet == 0 and not IS_FINAL[record.status]

    def joining(self, record: TaskRecord, joins: Future[Any] | list[Future[Any]]) -> bool:
        """Note what a join app has returned. False: the task has ended meanwhile."""
        with self._lock:
            if not _enter(record, States.joining):
                return False
            record.exec_fu = None
            record.joins = joins
            return True

    def attempt_failed(self, record: TaskRecord) -> bool:
        """Note that another attempt follows a failed one. False: the task has ended meanwhile."""
        with self._lock:
            if not _enter(record, States.fail_retryable):
                return False
            record.exec_fu = None
            record.try_id += 1
            record.is_plain = False
            return True

    def pending_again(self, record: TaskRecord) -> bool:
        """Begin another attempt. False: the task has ended meanwhile."""
        with self._lock:
            return _enter(record, _PENDING)

    def finish(
        self, record: TaskRecord, status: States, is_cancelled: bool = False
    ) -> LeanFuture[Any] | None:
        """End a task, and return its future; None if the task has ended already.

        The caller completes the future and then takes it out of :attr:`finishing`.
        """
        now_s = time()
        with self._lock:
            app_fu = record.app_fu
            # Without a call, because every task comes here.
            if app_fu is None or (not _IS_LEGAL[record.status][status] and not _enter(record, status)):
                return None
            record.status = status
            record.returned_s = now_s
            self._finished_by_state[status] += 1
            self.finishing[app_fu] = is_cancelled
            if not self._keep_finished:
                self.tasks.pop(record.id, None)
            return app_fu

    def in_flight(self, record: TaskRecord) -> Future[Any] | None:
        """Return the executor's future of a task that was submitted to one."""
        with self._lock:
            return None if IS_FINAL[record.status] else record.exec_fu

    def unfinished(self) -> Sequence[TaskRecord]:
        with self._lock:
            return [record for record in self.tasks.values() if not IS_FINAL[record.status]]

    def unfinished_futures(self) -> Sequence[LeanFuture[Any]]:
        """Return the futures that are not done, in the order of their tasks."""
        with self._lock:
            futures = [record.app_fu for record in self.unfinished()]
            return [*self.finishing, *(future for future in futures if future is not None)]

    def wipe(self, task_id: int) -> None:
        with self._lock:
            record = self.tasks.get(task_id)
            if record is not None and IS_FINAL[record.status]:
                del self.tasks[task_id]

    def state_counts(self) -> dict[States, int]:
        """Return the number of tasks in each state, wiped ones included."""
        with self._lock:
            counts = {state: self._finished_by_state[state] for state in States}
            for record in self.unfinished():
                counts[record.status] += 1
            return counts

    def ended_counts(self) -> dict[States, int]:
        """Return the number of tasks in each final state; as quick with a million tasks as with one."""
        with self._lock:
            return {state: self._finished_by_state[state] for state in FINAL_STATES}

    def validate(self) -> None:
        with self._lock:
            unfinished = self.unfinished()
            assert sum(self.state_counts().values()) <= self.task_count
            assert all(record.unmet >= 0 and record.app_fu is not None for record in unfinished)
            assert all(record.exec_fu is None for record in unfinished if record.status is _PENDING)
            assert self._keep_finished or len(self.tasks) == len(unfinished)

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {state.name}" for state, count in self.state_counts().items() if count)
        return f"<{type(self).__name__} {self.task_count} tasks: {counts or 'none'}>"


def _enter(record: TaskRecord, new: States) -> bool:
    """Change the state of a task; False if it has ended."""
    old = record.status
    if _IS_LEGAL[old][new]:
        record.status = new
        return True
    if IS_FINAL[old]:
        return False
    allowed = ", ".join(sorted(state.name for state in LEGAL_TRANSITIONS[old]))
    raise InternalConsistencyError(
        f"{record!r} cannot go from {old.name} to {new.name}, only to {allowed}. Please report this"
    )
