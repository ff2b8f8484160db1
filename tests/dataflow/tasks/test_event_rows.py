"""The rows of ended tasks before they are written."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from parsl.dataflow.tasks import event_rows
from parsl.dataflow.tasks.event_rows import (
    BATCH,
    PLAIN_BYTES,
    EncodedRows,
    EndedRows,
    PackedRows,
    app_and_state,
    pack_plain,
)
from parsl.eventlog import records
from parsl.vocabulary.run_observer import pack_usage
from parsl.vocabulary.task_states import States

DONE, FAILED = int(States.exec_done), int(States.failed)


def row(number: int, app: int = 0, state: int = DONE) -> tuple[Any, ...]:
    return (number, app, 0, state, 0, 1.0, 2.0, (), 3.0)


def plain(number: int) -> bytes:
    return pack_plain(number, 1.0, 2.0, 3.0, pack_usage(0.5, 0.25, 1000, 7, 3))


def empty(max_waiting: int = 100 * BATCH) -> EndedRows:
    ended = EndedRows(max_waiting)
    ended.encode_with(records.encode)
    return ended


def record_parts(rows: PackedRows | EncodedRows) -> Iterator[tuple[bytes, int]]:
    """Yield encoded records with rows, as they are written."""
    if isinstance(rows, PackedRows):
        for (app, executor), part in rows.parts():
            yield records.head_of_packed(app, executor, len(part)) + part, len(part) // PLAIN_BYTES
    else:
        for part, number in rows.parts():
            yield records.head_of_tasks(number) + part, number


def task_rows(*parts: PackedRows | EncodedRows) -> list[records.TaskRow]:
    """Return rows as a reader of their records finds them."""
    found = []
    for rows in parts:
        for encoded, number in record_parts(rows):
            read = records.decode(encoded)
            assert isinstance(read, records.Tasks)
            assert len(read.rows) == number
            found += read.rows
    assert len(found) == sum(rows.number for rows in parts)
    return found


def rows_in(*parts: PackedRows | EncodedRows) -> list[int]:
    """Return the tasks of rows."""
    return [each.id for each in task_rows(*parts)]


@pytest.mark.parametrize("number", [0, 1, 15, 16, BATCH, BATCH + 1, 5 * BATCH])
def test_all_rows_are_in_the_record_in_their_order(number: int) -> None:
    rows = EncodedRows()
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
    assert repr(rows) == "<EncodedRows 3>"


def test_a_plain_task_is_read_as_a_row_with_what_it_has_used() -> None:
    ended = empty()
    add = ended.plain_of(4, 2)
    for number in range(BATCH + 1):
        add(plain(number))
    rows, _ = ended.take()
    assert repr(rows) == f"<PackedRows {BATCH + 1}>"
    read = task_rows(rows)
    assert [each.id for each in read] == [*range(BATCH + 1)]
    assert read[5] == records.TaskRow(5, 4, 2, DONE, 0, 1.0, 2.0, (), 3.0, 0.5, 0.25, 1000, 7, 3)


def test_plain_tasks_of_several_apps_and_executors_keep_theirs() -> None:
    ended = empty()
    owners = [(0, 0), (1, 0), (0, 1)]
    for number in range(3 * BATCH):
        ended.plain_of(*owners[number % 3])(plain(number))
        if number % BATCH == 0:
            ended.encode()
    read = task_rows(ended.take()[0])
    assert sorted(each.id for each in read) == [*range(3 * BATCH)]
    assert all((each.app, each.executor) == owners[each.id % 3] for each in read)


def test_many_plain_tasks_make_several_records() -> None:
    ended = empty()
    add = ended.plain_of(0, 0)
    for number in range(10 * BATCH):
        add(plain(number))
    rows, _ = ended.take()
    assert 1 < len([*rows.parts()]) < 10
    assert rows_in(rows) == [*range(10 * BATCH)]


def test_rows_wait_until_they_can_be_encoded() -> None:
    ended = EndedRows(10 * BATCH)
    ended.add(row(0))
    ended.plain_of(0, 0)(plain(1))
    assert repr(ended) == "<EndedRows 0+1, 0+1>"
    ended.encode()
    assert repr(ended) == "<EndedRows 1+0, 0+1>"
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
            ended.plain_of(0, 0)(plain(number))
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


def test_the_newest_plain_rows_are_dropped_when_too_many_wait() -> None:
    ended = empty(2 * BATCH)
    add = ended.plain_of(0, 0)
    for number in range(3 * BATCH):
        add(plain(number))
    rows, _ = ended.take()
    assert rows_in(rows) == [*range(2 * BATCH)]
    assert rows.lost == BATCH


def test_plain_rows_are_dropped_while_too_many_wait_for_what_was_interrupted() -> None:
    ended = empty(BATCH)
    add = ended.plain_of(0, 0)

    def encode(rows: Sequence[tuple[Any, ...]]) -> bytes:
        for number in range(BATCH + 1):
            add(plain(number))
        ended.encode()  # as a signal handler does, while another call encodes
        return records.encode(rows)

    ended.encode_with(encode)
    ended.add(row(0))
    ended.encode()
    assert ended.may_lack_rows
    assert rows_in(*ended.take()) == [0]


def test_the_oldest_rows_are_dropped_while_none_can_be_encoded() -> None:
    ended = EndedRows(2)
    for number in range(3):
        ended.add(row(number))
    ended.encode_with(records.encode)
    assert rows_in(*ended.take()) == [1, 2]
    assert ended.may_lack_rows


def test_a_forked_child_forgets_all_rows() -> None:
    ended = empty()
    ended.add(row(0))
    ended.plain_of(0, 0)(plain(1))
    ended.encode()
    ended.add(row(2))
    ended.plain_of(0, 0)(plain(3))
    ended.clear()
    assert rows_in(*ended.take()) == []


def test_rows_that_a_signal_handler_adds_while_others_are_encoded_are_whole() -> None:
    """A handler runs in between in the same thread, as the encoding itself does here."""
    ended = EndedRows(100 * BATCH)
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


@pytest.mark.parametrize("interrupted_call", [1, 2])
def test_what_an_interrupt_has_left_behind_is_in_no_record(
    monkeypatch: pytest.MonkeyPatch, interrupted_call: int
) -> None:
    """The first call puts plain rows into memory, the second one others."""
    put, calls = event_rows._Memory.put, 0

    def interrupt(*args: Any) -> int:
        nonlocal calls
        calls += 1
        end = put(*args)
        if calls == interrupted_call:
            raise KeyboardInterrupt
        return end

    ended = empty()

    def add(number: int) -> None:
        ended.plain_of(number, 0)(plain(number))
        ended.add(row(10 + number))

    add(0)
    ended.encode()
    add(1)
    monkeypatch.setattr(event_rows._Memory, "put", interrupt)
    with pytest.raises(KeyboardInterrupt):
        ended.encode()
    add(2)
    packed, others = ended.take()
    assert ended.may_lack_rows
    assert all(each.app == each.id for each in task_rows(packed))
    assert {*rows_in(packed, others)} in ({0, 2, 10, 11, 12}, {0, 1, 2, 10, 12})


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
                ended.plain_of(0, 0)(plain(number))
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
