"""Signs of life: every manager in its turn, those in doubt at once and once more."""

from __future__ import annotations

from parsl.executors.high_throughput.interchange.heartbeats import AT_ONCE, DOUBT_S, HeartbeatSchedule


def test_all_get_one_each_period_a_few_at_a_time() -> None:
    names = [str(number).encode() for number in range(AT_ONCE + 3)]
    signs = HeartbeatSchedule(30.0, 100.0)
    assert signs.due_s == 130.0
    assert signs.take(names, 129.0) == []
    assert signs.take(names, 130.0) == names[:AT_ONCE]
    assert signs.due_s < 0
    assert signs.take(names, 130.1) == names[AT_ONCE:]
    assert signs.due_s == 160.0


def test_a_connection_that_is_said_to_be_closed_is_tried_at_once_and_a_bit_later() -> None:
    signs = HeartbeatSchedule(30.0, 0.0)
    signs.doubt([b"a"], 1.0)
    assert repr(signs) == "<HeartbeatSchedule waiting=1 doubted=1>"
    assert signs.take([b"a", b"b"], 1.0) == [b"a"]
    assert signs.due_s == 1.0 + DOUBT_S
    assert signs.take([b"a", b"b"], 1.0 + DOUBT_S) == [b"a"]
    assert signs.due_s == 30.0


def test_who_is_in_doubt_does_not_wait_behind_the_others() -> None:
    signs = HeartbeatSchedule(1.0, 0.0)
    everybody = [str(number).encode() for number in range(2 * AT_ONCE)]
    signs.take(everybody, 1.0)
    signs.doubt([b"x"], 1.0)
    assert signs.take(everybody, 1.0)[0] == b"x"
