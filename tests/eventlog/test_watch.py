"""A live view's knowledge of a run."""

from __future__ import annotations

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
        assert (watch.share_read, watch.damaged_bytes) == (1.0, 0)
        assert (watch.standing(), watch.now_s()) == (answers.ENDED, None)
        [group] = watch.failures.largest_first()
        assert (group.failed, sum(group.apps.values()), group.hosts) == (100, 100, {"x1": 100})
        assert watch.tally.run_times[0].number > 300


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
