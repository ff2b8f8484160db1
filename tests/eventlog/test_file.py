"""The file of an event log: whole records or none, whatever happens to the writer, the disk or the bytes."""

from __future__ import annotations

import gc
import os
import random

import pytest

from parsl.eventlog import file as event_file
from parsl.eventlog import records
from parsl.eventlog.file import EventFile, EventLogError, EventReader
from tests.support.event_logs import ended_row, records_of_run, run_began, write_event_log


def read_all(path) -> list[records.Record]:
    with EventReader(path) as reader:
        return list(reader.read())


def test_records_come_back_as_they_were(tmp_path):
    expected = list(records_of_run(5000, fail_every=100, waiting=10))
    assert read_all(write_event_log(tmp_path, 5000, fail_every=100, waiting=10)) == expected


def test_the_run_directory_names_the_log(tmp_path):
    write_event_log(tmp_path, 1)
    assert read_all(tmp_path)[0] == run_began()


def test_a_task_takes_less_than_200_bytes(tmp_path):
    path = write_event_log(tmp_path, 10_000)
    assert path.stat().st_size < 10_000 * 120


def test_a_reader_gets_what_is_appended_later(tmp_path):
    file = EventFile(str(tmp_path / "log"))
    file.write(run_began())
    with EventReader(tmp_path / "log") as reader:
        assert list(reader.read()) == [run_began()]
        assert list(reader.read()) == []
        file.write(records.Tasks([ended_row(0)]))
        assert list(reader.read()) == [records.Tasks([ended_row(0)])]
        assert reader.offset == reader.size
    file.close()


@pytest.mark.parametrize("cut", [1, 5, 11, 12, 13, 40])
def test_a_partial_frame_at_the_end_is_read_when_it_is_complete(tmp_path, cut):
    path = write_event_log(tmp_path, 10)
    data = path.read_bytes()
    path.write_bytes(data[:-cut])
    with EventReader(path) as reader:
        before = list(reader.read())
        path.write_bytes(data)
        assert before + list(reader.read()) == list(records_of_run(10))
        assert reader.damaged_bytes == 0


@pytest.mark.parametrize("seed", range(20))
def test_damage_costs_only_the_damaged_records(tmp_path, seed):
    path = write_event_log(tmp_path, 1000, batch=10)
    expected = list(records_of_run(1000, batch=10))
    data = bytearray(path.read_bytes())
    choose = random.Random(seed)
    for _ in range(5):
        data[choose.randrange(len(event_file.HEADER), len(data))] ^= choose.randrange(1, 256)
    path.write_bytes(data)
    with EventReader(path) as reader:
        found = list(reader.read())
        assert len(found) >= len(expected) - 6
        assert all(record in expected for record in found)


@pytest.mark.parametrize("limit", [1, 100, 10_000])
def test_each_limited_look_yields_a_record_as_long_as_there_is_one(tmp_path, limit):
    expected = list(records_of_run(100, batch=50))
    with EventReader(write_event_log(tmp_path, 100, batch=50)) as reader:
        found = []
        while part := list(reader.read(limit)):
            found += part
        assert found == expected


def test_garbage_does_not_accumulate(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(event_file.HEADER + bytes(100_000))
    with EventReader(path) as reader:
        assert list(reader.read()) == []
        assert reader.damaged_bytes > 99_000


def test_records_of_a_later_version_are_skipped_and_counted(tmp_path, monkeypatch):
    file = EventFile(str(tmp_path / "log"))
    monkeypatch.setattr(records, "encode", lambda _: b"\x92\xa5later\x01")
    file.write(run_began())
    monkeypatch.undo()
    file.write(run_began())
    with EventReader(tmp_path / "log") as reader:
        assert list(reader.read()) == [run_began()]
        assert reader.unknown_records == 1


def test_a_log_of_a_later_format_is_refused(tmp_path):
    file = EventFile(str(tmp_path / "log"))
    file.write(run_began(format_version=records.FORMAT_VERSION + 1, parsl_version="2030.1.1"))
    with pytest.raises(EventLogError, match=r"Parsl 2030\.1\.1, in format 4"):
        read_all(tmp_path / "log")


def test_a_directory_of_runs_is_no_run(tmp_path):
    (tmp_path / "004").mkdir()
    with pytest.raises(EventLogError, match=r"is a directory of runs\. Name one of them, such as .*/004"):
        EventReader(tmp_path)
    with pytest.raises(EventLogError, match="no run directory of that name"):
        EventReader(tmp_path / "nowhere")


def test_a_missing_log_is_explained(tmp_path):
    with pytest.raises(EventLogError, match=r"There is no event log .*events.parsl.*event_log=False"):
        EventReader(tmp_path)


@pytest.mark.parametrize(("content", "reason"), [(b"", "empty"), (b"SQLite format 3\0", "begins with")])
def test_another_file_is_refused(tmp_path, content, reason):
    (tmp_path / "log").write_bytes(content)
    with pytest.raises(EventLogError, match=reason):
        EventReader(tmp_path / "log")


def test_an_existing_log_is_not_overwritten(tmp_path):
    path = write_event_log(tmp_path, 1)
    with pytest.raises(FileExistsError):
        EventFile(str(path))


def test_a_full_disk_leaves_a_gap_and_whole_records(tmp_path, monkeypatch):
    file = EventFile(str(tmp_path / "log"))
    file.write(run_began())
    monkeypatch.setattr(os, "writev", writing_at_most(10, is_full_then=True))
    assert not file.write(records.Tasks([ended_row(0)]), 1)
    assert not file.write(records.Tasks([ended_row(1), ended_row(2)]), 2)
    monkeypatch.undo()
    assert file.write(records.Tasks([ended_row(3)]))
    first, gap, last = read_all(tmp_path / "log")
    assert (first, last) == (run_began(), records.Tasks([ended_row(3)]))
    assert isinstance(gap, records.Gap)
    assert (gap.records, gap.reason) == (3, "No space left on device")
    assert gap.from_s <= gap.to_s


def test_records_that_are_added_are_written_together(tmp_path, monkeypatch):
    file = EventFile(str(tmp_path / "log"))
    file.write(run_began())
    for number in range(3):
        file.add(records.Tasks([ended_row(number)]))
    assert read_all(tmp_path / "log") == [run_began()]
    assert file.flush()
    assert len(read_all(tmp_path / "log")) == 4
    monkeypatch.setattr(os, "writev", writing_at_most(20, is_full_then=True))
    file.add(records.Tasks([ended_row(3), ended_row(4)]), 2)
    file.add(records.Tasks([ended_row(5)]))
    assert not file.flush()
    monkeypatch.undo()
    assert file.flush()
    gap = read_all(tmp_path / "log")[-1]
    assert isinstance(gap, records.Gap)
    assert gap.records == 3
    file.close()


def writing_at_most(limit, *, is_full_then):
    """Return an `os.writev` that writes so many bytes per call; with ``is_full_then``, the next one fails."""
    calls = []

    def writev(fd, pieces):
        if is_full_then and len(calls) % 2:
            calls.clear()
            raise OSError(28, "No space left on device")
        calls.append(fd)
        return os.write(fd, b"".join(pieces)[:limit])

    return writev


@pytest.mark.parametrize("limit", [1, 3, 12, 13, 14, 100])
def test_what_is_written_in_parts_is_whole(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(os, "writev", writing_at_most(limit, is_full_then=False))
    path = write_event_log(tmp_path, 20, batch=10)
    assert read_all(path) == list(records_of_run(20, batch=10))


def test_more_pieces_than_the_system_takes_at_once_are_written(tmp_path):
    file = EventFile(str(tmp_path / "log"))
    added = [run_began(), *(records.Tasks([ended_row(number)]) for number in range(3000))]
    for record in added:
        file.add(record)
    assert file.flush()
    assert read_all(tmp_path / "log") == added


def test_a_failed_write_keeps_nothing_of_what_was_to_be_written(tmp_path, monkeypatch):
    file = EventFile(str(tmp_path / "log"))
    file.write(run_began())
    memory = bytearray(b"\x92\xa5tasks\x90")
    gc.disable()
    try:
        monkeypatch.setattr(os, "writev", writing_at_most(0, is_full_then=True))
        file.add_encoded([memoryview(memory)], 1)
        assert not file.flush()
        memory += b"more"  # a BufferError if there were a view of it
    finally:
        gc.enable()
    file.close()


def test_damaged_names_do_not_shift_the_numbers_of_others():
    known = []
    records.Apps(["first"], 0).add_to(known)
    records.Apps(["fourth", "fifth"], 3).add_to(known)
    assert known == ["first", "app 1", "app 2", "fourth", "fifth"]
    records.Apps(["of an older log"]).add_to(known)
    assert known[5:] == ["of an older log"]
    executors = []
    records.Executors([records.ExecutorFacts("htex", "HighThroughputExecutor")], 1).add_to(executors)
    assert [executor.label for executor in executors] == ["executor 0", "htex"]


def test_much_is_written_without_waiting_for_the_rest(tmp_path):
    file = EventFile(str(tmp_path / "log"))
    names = [f"{number:01600}" for number in range(1000)]
    for _ in range(11):
        file.add(records.Apps(names))
    assert len(read_all(tmp_path / "log")) == 11
    file.close()


def test_a_record_that_is_too_large_for_readers_is_a_gap(tmp_path):
    file = EventFile(str(tmp_path / "log"))
    file.write(records.Apps(["x" * 65_000_000, "y" * 5_000_000]), 2)
    file.write(run_began())
    gap, last = read_all(tmp_path / "log")
    assert (gap.records, last) == (2, run_began())
    assert "is too large" in gap.reason
    file.close()


def test_the_last_totals_are_found_without_reading_the_tasks(tmp_path):
    path = write_event_log(tmp_path, 20_000)
    with EventReader(path) as reader:
        summary = reader.last_summary()
        assert summary is not None
        assert summary.task_count == 20_000
        assert sum(number for _, _, number in summary.ended) == 20_000
        assert next(iter(reader.read())) == run_began()


def test_a_log_without_totals_has_none(tmp_path):
    with EventReader(write_event_log(tmp_path, 0)) as reader:
        assert reader.last_summary() is None
