"""The rows of ended tasks before they are written."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from parsl.dataflow.taskrecord import TaskRecord
from parsl.dataflow.tasks import event_rows
from parsl.dataflow.tasks.event_rows import BATCH, EncodedRows, EndedRows, app_and_state, kind_of
from parsl.eventlog import records
from parsl.vocabulary.run_observer import pack_usage
from parsl.vocabulary.task_states import States

DONE, FAILED = int(States.exec_done), int(States.failed)


def row(number: int, app: int = 0, state: int = DONE) -> tuple[Any, ...]:
    return (number, app, 0, state, 0, 1.0, 2.0, (), 3.0)


def plain(number: int) -> tuple[TaskRecord, bytes]:
    record = TaskRecord(None, row, (), {}, "htex", 1.0)
    record.id, record.launched_s, record.returned_s = number, 2.0, 3.0
    return record, pack_usage(0.5, 0.25, 1000, 7, 3)


def plain_rows(ended: Sequence[tuple[TaskRecord, bytes]]) -> tuple[list[tuple[Any, ...]], list[int]]:
    return [
        (task.id, 0, 0, task.invoked_s, task.launched_s, task.returned_s, used) for task, used in ended
    ], [kind_of(0, DONE)] * len(ended)


def empty(max_waiting: int = 100 * BATCH) -> EndedRows:
    ended = EndedRows(max_waiting, plain_rows)
    ended.encode_with(records.encode)
    return ended


def task_rows(*encoded: EncodedRows) -> list[records.TaskRow]:
    """Return rows as a reader of their records finds them."""
    found = []
    for rows in encoded:
        for part, number in rows.parts():
            head = records.head_of(getattr(records, rows.record), number)
            read = records.decode(head + bytes(part))
            assert isinstance(read, records.Tasks)
            assert len(read.rows) == number
            found += read.rows
    assert len(found) == sum(rows.number for rows in encoded)
    return found


def rows_in(*encoded: EncodedRows) -> list[int]:
    """Return the tasks of rows."""
    return [each.id for each in task_rows(*encoded)]


@pytest.mark.parametrize("number", [0, 1, 15, 16, BATCH, BATCH + 1, 5 * BATCH])
def test_all_rows_are_in_the_record_in_their_order(number: int) -> None:
    rows = EncodedRows("Tasks")
    rows.add_all([row(each) for each in range(number)], records.encode)
    assert rows_in(rows) == [*range(number)]


def test_many_rows_make_several_records() -> None:
    ended = empty()
    for number in range(40 * BATCH):
        ended.add(row(number))
    _, rows = ended.take()
    sizes = [len(part) for part, _ in rows.parts()]
    assert 1 < len(sizes) < 10
    assert rows_in(rows) == [*range(40 * BATCH)]


def test_apps_and_states_are_counted_also_of_rows_that_cannot_be_encoded() -> None:
    ended = empty()
    for each in (row(0), row(1, app=7), (*row(2, app=7, state=FAILED), object()), row(3)):
        ended.add(each)
    _, rows = ended.take()
    assert rows_in(rows) == [0, 1, 3]
    assert rows.lost == 1
    assert {app_and_state(kind): number for kind, number in rows.kinds.items()} == {
        (0, DONE): 2,
        (7, DONE): 1,
        (7, FAILED): 1,
    }
    assert repr(rows) == "<EncodedRows 3 of Tasks>"


def test_a_plain_task_is_read_as_a_row_with_what_it_has_used() -> None:
    ended = empty()
    for number in range(BATCH + 1):
        ended.add_plain(plain(number))
    rows, _ = ended.take()
    assert rows.kinds == {DONE: BATCH + 1}
    read = task_rows(rows)
    assert [each.id for each in read] == [*range(BATCH + 1)]
    used = (0.5, 0.25, 1000, 7, 3)
    assert read[5] == records.TaskRow(5, 0, 0, DONE, 0, 1.0, 2.0, (), 3.0, *used)


def test_of_a_plain_task_of_which_nothing_was_measured_nothing_is_known() -> None:
    ended = empty()
    ended.add_plain((plain(4)[0], b""))
    assert task_rows(*ended.take()) == [records.TaskRow(4, 0, 0, DONE, 0, 1.0, 2.0, (), 3.0)]


def test_rows_wait_until_they_can_be_encoded() -> None:
    ended = EndedRows(10 * BATCH, plain_rows)
    ended.add(row(0))
    ended.add_plain(plain(1))
    ended.encode()
    assert repr(ended) == "<EndedRows 0+1, 0+1>"
    ended.encode_with(records.encode)
    ended.encode()
    ended.add(row(2))
    assert repr(ended) == "<EndedRows 1+0, 1+1>"
    assert rows_in(*ended.take()) == [1, 0, 2]
    assert rows_in(*ended.take()) == []


def test_rows_that_are_taken_one_after_the_other_do_not_mix() -> None:
    ended = empty()
    for start in range(0, 6000, 2000):
        for number in range(start, start + 2000):
            ended.add_plain(plain(number))
        assert rows_in(*ended.take()) == [*range(start, start + 2000)]


def test_the_newest_rows_are_dropped_when_too_many_wait() -> None:
    ended = empty(2 * BATCH)
    for number in range(2 * BATCH):
        ended.add(row(number))
        if number % BATCH == BATCH - 1:
            ended.encode()
    ended.add(row(2 * BATCH))
    _, rows = ended.take()
    assert rows_in(rows) == [*range(2 * BATCH)]
    assert rows.lost == 1


def test_the_oldest_rows_are_dropped_while_none_can_be_encoded() -> None:
    ended = EndedRows(2, plain_rows)
    for number in range(3):
        ended.add_plain(plain(number))
    ended.encode_with(records.encode)
    assert rows_in(*ended.take()) == [1, 2]
    assert ended.may_lack_rows


def test_a_forked_child_forgets_all_rows() -> None:
    ended = empty()
    ended.add(row(0))
    ended.add_plain(plain(1))
    ended.encode()
    ended.add(row(2))
    ended.add_plain(plain(3))
    ended.clear()
    assert rows_in(*ended.take()) == []


def test_rows_that_a_signal_handler_adds_while_others_are_encoded_are_whole() -> None:
    """A handler runs in between in the same thread, as the encoding itself does here."""
    ended = EndedRows(100 * BATCH, plain_rows)
    added = [*range(BATCH, 2 * BATCH)]

    def encode(rows: Sequence[tuple[Any, ...]]) -> bytes:
        while added:
            ended.add(row(added.pop(0)))
            ended.encode()
        return records.encode(rows)

    ended.encode_with(encode)
    for number in range(BATCH):
        ended.add(row(number))
    ended.encode()
    assert sorted(rows_in(*ended.take())) == [*range(2 * BATCH)]


def test_rows_can_become_more_while_a_view_of_their_memory_is_left() -> None:
    ended = empty()
    ended.add(row(0))
    _, rows = ended.take()
    parts = [part for part, _ in rows.parts()]
    ended.take()
    for number in range(20 * BATCH):  # into the memory of the first ones
        ended.add(row(number))
    assert rows_in(*ended.take()) == [*range(20 * BATCH)]
    assert len(parts) == 1


def test_no_row_of_many_threads_is_lost() -> None:
    ended = empty(1_000_000)
    taken: list[int] = []

    def add(start: int) -> None:
        for number in range(start, start + 5000):
            if number % 2:
                ended.add(row(number))
            else:
                ended.add_plain(plain(number))
            if number % 16 == 0:
                ended.encode()

    threads = [threading.Thread(target=add, args=(5000 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        taken += rows_in(*ended.take())
    taken += rows_in(*ended.take())
    assert sorted(taken) == [*range(20_000)]


def test_rows_are_taken_again_after_a_lock_was_never_released(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt may come just after the lock is acquired. Here, the encoding has the lock."""
    monkeypatch.setattr(event_rows, "_PATIENCE_S", 0.01)
    ended = empty()

    def encode(rows: Sequence[tuple[Any, ...]]) -> bytes:
        ended.encode_with(records.encode)
        assert rows_in(*ended.take()) == []  # while another call has the lock
        return records.encode(rows)

    ended.encode_with(encode)
    ended.add(row(0))
    ended.encode()
    ended.add(row(1))
    assert 1 in rows_in(*ended.take())
    assert ended.may_lack_rows
