"""The rows of ended tasks before they are written."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from parsl.dataflow.tasks.event_rows import BATCH, Batch, EndedRows, app_and_state, batches_of
from parsl.eventlog import records
from parsl.vocabulary.task_states import States

DONE, FAILED = int(States.exec_done), int(States.failed)


def row(number: int, app: int = 0, state: int = DONE) -> tuple[Any, ...]:
    return (number, app, 0, state, 0, 1.0, 2.0, (), 3.0)


def rows_in(batches: list[Batch]) -> list[int]:
    """Return the tasks of batches, as a reader of their record finds them."""
    number = sum(batch.encoded_number for batch in batches)
    record = records.decode(records.encode(records.tasks_of([batch.encoded for batch in batches], number)))
    assert isinstance(record, records.Tasks)
    return [each.id for each in record.rows]


@pytest.mark.parametrize("number", [1, 15, 16, BATCH, BATCH + 1, 5 * BATCH])
def test_all_rows_are_in_the_record_in_their_order(number: int) -> None:
    batches = list(batches_of([row(each) for each in range(number)], records.encode))
    assert rows_in(batches) == [*range(number)]
    assert max(batch.encoded_number for batch in batches) <= BATCH


def test_batches_of_all_lengths_are_joined() -> None:
    batches = [batch for n in (1, 15, 16, 17) for batch in batches_of([row(n)] * n, records.encode)]
    assert rows_in(batches) == [1, *[15] * 15, *[16] * 16, *[17] * 17]


def test_a_batch_counts_apps_and_states_also_of_rows_that_cannot_be_encoded() -> None:
    mixed = [row(0), row(1, app=7), (*row(2, app=7, state=FAILED), object()), row(3)]
    (batch,) = batches_of(mixed, records.encode)
    assert rows_in([batch]) == [0, 1, 3]
    assert {app_and_state(kind): number for kind, number in batch.kinds.items()} == {
        (0, DONE): 2,
        (7, DONE): 1,
        (7, FAILED): 1,
    }
    assert repr(batch) == "<Batch of 3>"


def test_rows_wait_until_they_can_be_encoded() -> None:
    ended = EndedRows(10 * BATCH)
    ended.add(row(0))
    ended.encode()
    assert repr(ended) == "<EndedRows 0 batches, 1 rows>"
    ended.encode_with(records.encode)
    ended.encode()
    ended.add(row(1))
    assert repr(ended) == "<EndedRows 1 batches, 1 rows>"
    assert rows_in(ended.take()) == [0, 1]
    assert ended.take() == []


def test_the_oldest_rows_are_dropped_when_too_many_wait() -> None:
    ended = EndedRows(2 * BATCH)
    ended.encode_with(records.encode)
    for number in range(3 * BATCH):
        ended.add(row(number))
        if (number + 1) % BATCH == 0:
            ended.encode()
    assert ended.is_full
    assert rows_in(ended.take()) == [*range(BATCH, 3 * BATCH)]
    assert not ended.is_full


def test_a_forked_child_forgets_all_rows() -> None:
    ended = EndedRows(BATCH)
    ended.encode_with(records.encode)
    ended.add(row(0))
    ended.encode()
    ended.add(row(1))
    ended.clear()
    assert ended.take() == []


def test_no_row_of_many_threads_is_lost() -> None:
    ended = EndedRows(1_000_000)
    ended.encode_with(records.encode)
    taken: list[Batch] = []

    def add(start: int) -> None:
        for number in range(start, start + 5000):
            ended.add(row(number))
            if number % 16 == 0:
                ended.encode()

    threads = [threading.Thread(target=add, args=(5000 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        taken += ended.take()
    taken += ended.take()
    assert sorted(rows_in(taken)) == [*range(20_000)]
