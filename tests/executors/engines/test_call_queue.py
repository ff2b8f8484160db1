"""Which calls a pool gets now, which wait, and which go together."""

from __future__ import annotations

from types import CodeType
from typing import cast

from parsl.executors.engines.call_queue import CallQueue, QueuedCall
from parsl.executors.engines.executor import EngineExecutor, EngineTask
from parsl.executors.engines.short_functions import ShortFunctions

SHORT, SLOW = (compile(source, "", "eval") for source in ("1", "2"))
NO_EXECUTOR = cast(EngineExecutor, None)  # these tasks are cancelled by nothing


def make_queue(slots: int | None = 1, max_together: int = 8) -> CallQueue:
    """Return a queue that knows that SHORT is short."""
    functions = ShortFunctions()
    for _ in range(100):
        functions.ran(SHORT, 0.0001, 100)
    return CallQueue(slots, max_together, functions)


def make_call(number: int, code: CodeType | None = SHORT) -> QueuedCall:
    return QueuedCall(EngineTask(NO_EXECUTOR, number), code, b"")


def add(queue: CallQueue, numbers: range, code: CodeType | None = SHORT) -> list[int]:
    """Add calls, and return the numbers of those that the pool gets at once."""
    return [number for number in numbers if queue.admit(make_call(number, code))]


def take(queue: CallQueue) -> list[int]:
    return [call.task.parsl_executor_task_id for call in queue.take()]


def test_short_calls_wait_when_each_worker_has_two() -> None:
    assert add(make_queue(slots=3), range(10)) == [0, 1, 2, 3, 4, 5]


def test_calls_of_other_functions_do_not_wait() -> None:
    queue = make_queue()
    assert add(queue, range(10), SLOW) == [*range(10)]
    assert add(queue, range(10, 20), None) == [*range(10, 20)]


def test_no_call_overtakes_one_that_waits() -> None:
    queue = make_queue()
    add(queue, range(3))
    assert add(queue, range(3, 5), SLOW) == []
    queue.ended()
    queue.ended()
    assert take(queue) == [2]
    assert take(queue) == [3]


def test_the_pool_gets_waiting_calls_together_when_it_has_room() -> None:
    queue = make_queue(max_together=4)
    add(queue, range(12))
    assert take(queue) == []
    queue.ended()
    assert take(queue) == [2, 3, 4, 5]
    assert take(queue) == []


def test_the_last_calls_are_shared_among_the_workers() -> None:
    queue = make_queue(slots=2, max_together=8)
    add(queue, range(10))  # of which four do not wait
    for _ in range(4):
        queue.ended()
    assert [take(queue) for _ in range(4)] == [[4, 5], [6], [7], [8]]


def test_a_call_of_another_function_is_taken_alone() -> None:
    queue = make_queue()
    add(queue, range(4))
    add(queue, range(4, 5), SLOW)
    add(queue, range(5, 8))
    queue.ended()
    queue.ended()
    assert take(queue) == [2, 3]
    queue.ended()
    assert take(queue) == [4]
    assert take(queue) == [5, 6]


def test_a_call_that_is_removed_is_not_taken() -> None:
    queue = make_queue()
    add(queue, range(2))
    call = make_call(2)
    queue.admit(call)
    assert queue.remove(call.task)
    assert not queue.remove(call.task)
    queue.ended()
    assert take(queue) == []


def test_a_task_that_has_been_failed_is_not_taken() -> None:
    queue = make_queue()
    add(queue, range(2))
    call = make_call(2)
    queue.admit(call)
    queue.admit(make_call(3))
    call.task.set_exception(ValueError())
    queue.ended()
    assert take(queue) == [3]


def test_calls_that_a_worker_has_returned_come_first() -> None:
    queue = make_queue(max_together=3)
    add(queue, range(10))
    queue.ended()
    calls = queue.take()
    queue.put_back(calls[1:])
    queue.ended()
    assert take(queue) == [3, 4, 5]


def test_no_call_waits_for_a_pool_of_unknown_size_or_with_one_task_per_call() -> None:
    for queue in (make_queue(slots=None), make_queue(slots=0), make_queue(max_together=1)):
        assert add(queue, range(20)) == [*range(20)]
        assert take(queue) == []


def test_calls_that_wait_are_taken_when_the_next_pool_is_of_unknown_size() -> None:
    queue = make_queue()
    add(queue, range(4))
    queue.resize(None)
    assert [take(queue) for _ in range(3)] == [[2], [3], []]
