"""The states of a task, as users see them in ``AppFuture.task_status()``."""

from __future__ import annotations

from enum import IntEnum

from parsl.vocabulary import publish


class States(IntEnum):
    """Where a task is in its life. The numbers are stored in databases and never change."""

    pending = 0  #: waits for its dependencies
    running = 2  #: runs on a worker
    exec_done = 3  #: has a result, of its own execution
    failed = 4  #: has failed and will not be tried again
    dep_fail = 5  #: was never run, because a dependency failed
    launched = 7  #: was given to an executor
    fail_retryable = 8  #: one attempt failed, another one follows
    memo_done = 9  #: has a result, from memoization
    joining = 10  #: a join app has returned and waits for the futures it returned
    running_ended = 11  #: has run on a worker, whose result is on its way


#: States in which a task will never do anything more.
FINAL_STATES = frozenset({States.exec_done, States.memo_done, States.failed, States.dep_fail})

#: Those of them in which the task's future holds an exception.
FINAL_FAILURE_STATES = frozenset({States.failed, States.dep_fail})


publish(globals(), "parsl.dataflow.states")
