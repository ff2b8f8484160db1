"""The table of tasks: which tasks are sent and resent, and how tasks end."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from parsl.executors.high_throughput.driver.tasks import HTEXFuture, TaskTable
from parsl.executors.high_throughput.wire import spool
from parsl.executors.high_throughput.wire.arena import Arena
from parsl.executors.high_throughput.wire.protocol import (
    DONE,
    FAILED,
    RAISED,
    WORKER_LOST,
    Failure,
    Result,
    Task,
    failed,
)
from parsl.serialize.errors import DeserializationError
from parsl.serialize.functions import NamedFunction
from parsl.serialize.payloads import NONE, dump_value

if TYPE_CHECKING:
    from pathlib import Path

HEAD = b"head"


def add(table: TaskTable, number: int, frames: tuple[bytes, ...] = ()) -> HTEXFuture:
    future = HTEXFuture(number)
    table.add(future, Task(number, b"", b""), frames, None)
    return future


def test_every_task_is_sent_once_with_its_frames() -> None:
    table = TaskTable()
    add(table, 1, (b"a", b"b"))
    add(table, 2)
    batch = table.take_unsent()
    assert ([task.id for task in batch.tasks], batch.frames) == ([1, 2], [b"a", b"b"])
    assert table.take_unsent().tasks == []


def test_with_many_tasks_the_io_thread_is_woken_once() -> None:
    table = TaskTable()
    answers = [table.add(HTEXFuture(number), Task(number, b"", b""), (), None) for number in range(1, 10)]
    assert answers == [True] * 5 + [False] * 4
    assert table.is_awaiting_thread
    table.take_unsent()
    assert not table.is_awaiting_thread


def test_a_replacement_gets_all_tasks_that_have_not_ended_and_all_functions() -> None:
    table = TaskTable()
    function = NamedFunction(b"body")
    table.add(HTEXFuture(1), Task(1, function.name, b""), (b"a",), function)
    add(table, 2)
    table.take_unsent()
    add(table, 3)
    assert table.complete([Result(2, DONE, NONE)], [HEAD]) == []
    [batch] = table.take_all()
    assert ([task.id for task in batch.tasks], batch.frames) == ([1, 3], [b"a"])
    assert batch.functions == {function.name: b"body"}
    assert table.take_unsent().tasks == []


def test_a_replacement_gets_the_functions_even_without_tasks() -> None:
    [batch] = TaskTable().take_all()
    assert batch == ([], [], {})


def test_results_settle_futures() -> None:
    table = TaskTable()
    futures = [add(table, number) for number in (1, 2, 3, 4)]
    payload, _ = dump_value("x" * 100)
    results = [
        Result(1, DONE, NONE),
        Result(2, DONE, b"", (len(payload),)),
        Result(3, RAISED, b"garbage"),
        Result(9, DONE, NONE),
        Result(4, DONE, payload),
    ]
    assert table.complete(results, [HEAD, payload]) == []
    assert futures[0].result(0) is None
    assert futures[1].result(0) == futures[3].result(0) == "x" * 100
    assert futures[2].exception(0) is not None
    assert repr(table) == "<TaskTable pending=0 unsent=4>"


def test_failed_tasks_stay_in_the_table_but_are_not_sent_again() -> None:
    table = TaskTable()
    future = add(table, 1)
    result = failed(1, Failure(WORKER_LOST, "killed"))
    assert table.complete([result, Result(2, FAILED, b"")], [HEAD]) == [(1, result.payload)]
    assert not future.done()
    assert [list(batch.tasks) for batch in table.take_all()] == [[]]
    table.fail(1, KeyError("because"))
    assert isinstance(future.exception(0), KeyError)
    assert table.pending == {}


def test_the_end_of_a_task_frees_its_arguments(tmp_path: Path) -> None:
    arena = Arena(str(tmp_path))
    table = TaskTable(str(tmp_path), arena)
    for number in (1, 2, 3):
        place = arena.put(number, b"argument")
        table.add(HTEXFuture(number), Task(number, b"", b"", place=place), (), None)
        spool.write(spool.task_file(str(tmp_path), number), [b"argument"])
    table.complete([Result(1, DONE, NONE)], [HEAD])
    table.remove(2)
    table.fail_all(RuntimeError("the end"))
    slots, free = re.findall(r"\d+", repr(arena))
    assert slots == free
    assert not os.path.exists(spool.task_file(str(tmp_path), 2))
    assert not os.path.exists(spool.task_file(str(tmp_path), 3))
    arena.close()


def test_a_result_in_memory_that_cannot_be_read_fails_only_its_task(tmp_path: Path) -> None:
    table = TaskTable(str(tmp_path))
    lost, fine = add(table, 1), add(table, 2)
    table.complete([Result(1, DONE, b"", spooled=(3,)), Result(2, DONE, NONE)], [HEAD])
    with pytest.raises(DeserializationError, match="the driver cannot open its result, a file in memory"):
        lost.result(0)
    assert fine.result(0) is None


def test_the_result_of_a_cancelled_task_is_removed_from_memory(tmp_path: Path) -> None:
    path = spool.result_file(str(tmp_path), 1)
    spool.write(path, [b"result"])
    TaskTable(str(tmp_path)).complete([Result(1, DONE, b"", spooled=(6,))], [HEAD])
    assert not os.path.exists(path)


def test_no_task_is_added_after_the_end() -> None:
    table = TaskTable()
    assert table.refuse(RuntimeError("first"))
    assert not table.refuse(RuntimeError("second"))
    with pytest.raises(RuntimeError, match="first"):
        add(table, 1)
