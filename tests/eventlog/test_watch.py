"""A live view's knowledge of a run."""

from __future__ import annotations

import struct
import zlib

import pytest

from parsl.eventlog import answers
from parsl.eventlog.watch import RunWatch
from tests.support.event_logs import write_event_log


@pytest.mark.parametrize("limit_bytes", [None, 1000])
def test_a_run_is_watched_to_its_end(tmp_path, limit_bytes):
    write_event_log(tmp_path, 1000, fail_every=10)
    with RunWatch(tmp_path) as watch:
        watch.advance(limit_bytes)
        watch.read_to_end()
        assert (watch.share_read, watch.problems()) == (1.0, [])
        assert (watch.standing(), watch.now_s()) == (answers.ENDED, None)
        [group] = watch.failures.largest_first()
        assert (group.failed, sum(group.apps.values()), group.hosts) == (100, 100, {"x1": 100})
        assert watch.tally.run_times[0].number > 300


def test_what_the_log_lacks_is_reported(tmp_path):
    path = write_event_log(tmp_path, 1000, batch=100)
    data = bytearray(path.read_bytes())
    data[data.index(b"tasks", len(data) // 2) + 10] ^= 1
    unknown = b"\x92\xa5later\x01"
    head = struct.pack("<3sBII", b"\xf5EV", 0, len(unknown), zlib.crc32(unknown))
    path.write_bytes(data + head + unknown)
    with RunWatch(tmp_path) as watch:
        watch.read_to_end()
        damaged, unreadable, missing = watch.problems()
    assert damaged.endswith(" bytes of the event log are damaged, and were skipped.")
    assert unreadable == "1 records cannot be read by this version of Parsl."
    assert missing == "The log has no record of 100 of 1,000 tasks."


def test_a_lost_run_is_over(tmp_path):
    write_event_log(tmp_path, 10, is_over=False)
    with RunWatch(tmp_path) as watch:
        watch.advance()
        assert (watch.standing(), watch.now_s()) == (answers.LOST, None)


def test_the_standing_is_known_before_the_log_has_been_read(tmp_path):
    write_event_log(tmp_path, 10_000)
    with RunWatch(tmp_path) as watch:
        assert (watch.standing(), watch.is_read) == (answers.ENDED, False)
        watch.advance(1000)
        assert (watch.standing(), watch.is_read) == (answers.ENDED, False)
        watch.read_to_end()
        assert (watch.standing(), watch.is_read) == (answers.ENDED, True)
