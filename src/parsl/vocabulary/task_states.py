"""The states of a task, as users see them in ``AppFuture.task_status()``."""

from __future__ import annotations

from enum import IntEnum

from parsl.vocabulary import publish


class States(IntEnum):
    """The state of a task. The numbers are stored in databases and never change."""

    pending = 0  #: waits for its dependencies
    running = 2  #: has been running on a worker for a second or longer
    exec_done = 3  #: has a result, of its own execution
    failed = 4  #: has failed and is not retried
    dep_fail = 5  #: never ran, because a dependency failed
    launched = 7  #: was submitted to an executor
    fail_retryable = 8  #: an attempt has failed, and another one follows
    memo_done = 9  #: has a result, from memoization
    joining = 10  #: a join app waits for the futures that it has returned
    running_ended = 11  #: has run on a worker: only in the database, as in upstream


#: The states of tasks that have ended.
FINAL_STATES = frozenset({States.exec_done, States.memo_done, States.failed, States.dep_fail})

#: The final states in which the task's future has an exception.
FINAL_FAILURE_STATES = frozenset({States.failed, States.dep_fail})


publish(globals(), "parsl.dataflow.states")
