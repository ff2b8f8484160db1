"""Records as readers get them, also those of earlier formats."""

from __future__ import annotations

import pytest

from parsl.dataflow.tasks.event_rows import pack_plain
from parsl.eventlog import records
from parsl.eventlog.records import PackedTasks, PlainRow, PlainTasks, TaskRow, Tasks
from parsl.vocabulary.run_observer import pack_usage
from parsl.vocabulary.task_states import States

DONE = int(States.exec_done)
USAGE = pack_usage(0.5, 0.25, 2**40, 7, 3)
#: The row of a task that has ended well, without its number.
REST = (4, 2, DONE, 0, 1.0, 2.0, (), 3.0, 0.5, 0.25, 2**40, 7, 3)


def test_packed_tasks_are_read_as_rows() -> None:
    rows = b"".join(pack_plain(number, 1.0, 2.0, 3.0, USAGE) for number in (0, 2**33))
    read = records.decode(records.encode(PackedTasks(4, 2, rows)))
    assert read == Tasks([TaskRow(0, *REST), TaskRow(2**33, *REST)])


@pytest.mark.parametrize("size", [0, 1, 255, 70_000])
def test_the_head_of_packed_tasks_fits_what_follows(size: int) -> None:
    encoded = records.head_of_packed(300, 1, size) + bytes(size)
    assert len(records.decode(encoded).rows) == size // 64


def test_what_follows_the_last_whole_packed_row_is_ignored() -> None:
    rows = pack_plain(1, 1.0, 2.0, 3.0, USAGE) + b"more"
    assert records.decode(records.encode(PackedTasks(4, 2, rows))) == Tasks([TaskRow(1, *REST)])


def test_plain_tasks_of_format_2_are_read_as_rows() -> None:
    rows = [PlainRow(5, 4, 2, 1.0, 2.0, 3.0, USAGE), PlainRow(6, 4, 2, 1.0, 2.0, 3.0, b"")]
    read = records.decode(records.encode(PlainTasks(rows)))
    assert read == Tasks([TaskRow(5, *REST), TaskRow(6, *REST[:8])])
