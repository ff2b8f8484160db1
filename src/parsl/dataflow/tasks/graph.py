"""The tasks of a kernel and where each of them stands."""

from __future__ import annotations

import threading
from time import time

from parsl.dataflow.tasks.life import check_transition
from parsl.vocabulary.task_states import FINAL_STATES, States

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future
    from typing import Any

    from parsl.dataflow.futures import AppFuture
    from parsl.dataflow.taskrecord import TaskRecord

_PENDING = States.pending
_LAUNCHED = States.launched

#: For each state, by number: whether a task in it is done. (A list: hashing an enum member is slow.)
IS_FINAL = [number in set(map(int, FINAL_STATES)) for number in range(max(States) + 1)]


class TaskGraph:
    """The state of every task, guarded by one lock. It decides; whoever asks it acts.

    Any thread may call it. Each method takes the lock for a few instructions and calls nothing that
    could wait. Of two threads that want to end one task, the first to call :meth:`finish` does.

    Args:
        keep_finished: Whether finished tasks stay in ``tasks``.

    Attributes:
        tasks: The tasks by number.
        task_count: How many there ever were.
    """

    def __init__(self, *, keep_finished: bool) -> None:
        self.tasks: dict[int, TaskRecord] = {}
        self.task_count = 0
        self._keep_finished = keep_finished
        self._finished_by_state = [0] * len(IS_FINAL)
        self._finishing: set[AppFuture[Any]] = set()
        # Reentrant: a signal handler or a finalizer may come in between and call an app.
        self._lock = threading.RLock()

    def new_id(self) -> int:
        """Return the number of the next task, which is to be added soon."""
        with self._lock:
            number = self.task_count
            self.task_count = number + 1
            return number

    def add(self, record: TaskRecord) -> None:
        """Add a task; it gets its number unless it has one."""
        with self._lock:
            if record.id < 0:
                record.id = self.task_count
                self.task_count += 1
            self.tasks[record.id] = record

    def launched(self, record: TaskRecord, exec_fu: Future[Any]) -> bool:
        """Note that a pending task was given to its executor. False: it was ended meanwhile."""
        now_s = time()
        with self._lock:
            if record.status is not _PENDING:
                return False
            record.status = _LAUNCHED
            record.exec_fu = exec_fu
            record.launched_s = now_s
            return True

    def expect(self, record: TaskRecord, number: int) -> None:
        """Have :meth:`count_down` say True at the ``number``-th call."""
        with self._lock:
            record.unmet = number

    def count_down(self, record: TaskRecord) -> bool:
        """Note that one of the futures a task waits for is done. True: it was the last."""
        with self._lock:
            record.unmet -= 1
            return record.unmet == 0 and not IS_FINAL[record.status]

    def joining(self, record: TaskRecord, joins: Future[Any] | list[Future[Any]]) -> bool:
        """Note what a join app returned. False: it was ended meanwhile."""
        with self._lock:
            if IS_FINAL[record.status]:
                return False
            check_transition(record.status, States.joining)
            record.status = States.joining
            record.exec_fu = None
            record.joins = joins
            return True

    def attempt_failed(self, record: TaskRecord) -> bool:
        """Note that another attempt follows a failed one. False: the task was ended meanwhile."""
        with self._lock:
            if IS_FINAL[record.status]:
                return False
            check_transition(record.status, States.fail_retryable)
            record.status = States.fail_retryable
            record.exec_fu = None
            record.try_id += 1
            return True

    def pending_again(self, record: TaskRecord) -> bool:
        """Begin another attempt. False: the task was ended meanwhile."""
        with self._lock:
            if record.status is not States.fail_retryable:
                return False
            record.status = _PENDING
            return True

    def finish(self, record: TaskRecord, status: States, app_fu: AppFuture[Any]) -> bool:
        """End a task. False: it has ended already.

        Whoever is told True sets the future and then calls :meth:`finished`.
        """
        now_s = time()
        with self._lock:
            if IS_FINAL[record.status]:
                return False
            record.status = status
            record.returned_s = now_s
            self._finished_by_state[status] += 1
            self._finishing.add(app_fu)
            if not self._keep_finished:
                self.tasks.pop(record.id, None)
            return True

    def finished(self, app_fu: AppFuture[Any]) -> None:
        """Note that the future of a task that has ended is done too."""
        self._finishing.discard(app_fu)

    def in_flight(self, record: TaskRecord) -> Future[Any] | None:
        """Return the executor's future of a task that was given to one."""
        with self._lock:
            return None if IS_FINAL[record.status] else record.exec_fu

    def unfinished(self) -> Sequence[TaskRecord]:
        """Return the tasks that have not ended."""
        with self._lock:
            return [record for record in self.tasks.values() if not IS_FINAL[record.status]]

    def unfinished_futures(self) -> Sequence[AppFuture[Any]]:
        """Return the futures that are not done, in the order of their tasks."""
        with self._lock:
            futures = [record.app_fu for record in self.unfinished()]
            return [*self._finishing, *(future for future in futures if future is not None)]

    def wipe(self, task_id: int) -> None:
        """Forget a task that has ended."""
        with self._lock:
            record = self.tasks.get(task_id)
            if record is not None and IS_FINAL[record.status]:
                del self.tasks[task_id]

    def state_counts(self) -> dict[States, int]:
        """Return how many tasks are in each state, wiped ones included."""
        with self._lock:
            counts = {state: self._finished_by_state[state] for state in States}
            for record in self.unfinished():
                counts[record.status] += 1
            return counts

    def validate(self) -> None:
        """Check what must always hold; for tests.

        Raises:
            AssertionError: It does not.
        """
        with self._lock:
            unfinished = self.unfinished()
            assert sum(self.state_counts().values()) <= self.task_count
            assert all(record.unmet >= 0 and record.app_fu is not None for record in unfinished)
            assert all(record.exec_fu is None for record in unfinished if record.status is _PENDING)
            assert self._keep_finished or len(self.tasks) == len(unfinished)

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {state.name}" for state, count in self.state_counts().items() if count)
        return f"<{type(self).__name__} {self.task_count} tasks: {counts or 'none'}>"
