"""What is asked to end, what is killed, and when it is over."""

from __future__ import annotations

from signal import SIGKILL, SIGTERM

from parsl.executors.high_throughput.wire.protocol import Exited
from parsl.executors.high_throughput.worker.endings import AGAIN_S, PATIENCE_S, Ending, Eviction
from parsl.executors.high_throughput.worker.orphans import ProcessOwnership


class TestEviction:
    def test_each_is_asked_once_and_killed_as_often_as_it_takes(self) -> None:
        eviction = Eviction(kill_at_s=10.0)
        assert eviction.go_on({1, 2}, False, 0.0) == (SIGTERM, {1, 2})
        assert eviction.go_on({1, 2, 3}, False, 1.0) == (SIGTERM, {3})
        assert eviction.go_on({2, 3}, False, 10.0) == (SIGKILL, {2, 3})
        assert eviction.go_on({3, 4}, False, 11.0) == (SIGKILL, {3, 4})
        assert not eviction.is_over
        assert eviction.go_on(set(), False, 12.0) == (SIGKILL, set())
        assert eviction.is_over
        assert repr(eviction) == "<Eviction asked=3 is_over=True>"

    def test_without_a_time_they_are_killed_at_once(self) -> None:
        assert Eviction().go_on({1}, False, 5.0) == (SIGKILL, {1})

    def test_doubt_is_waited_for_but_not_for_ever(self) -> None:
        eviction = Eviction()
        eviction.go_on({1}, True, 0.0)
        eviction.go_on(set(), True, 100.0)
        assert not eviction.is_over
        eviction.go_on(set(), True, 100.0 + PATIENCE_S)
        assert eviction.is_over

    def test_doubt_that_was_right_is_waited_for_anew(self) -> None:
        eviction = Eviction()
        eviction.go_on(set(), True, 0.0)
        assert eviction.go_on({1}, False, 1.0) == (SIGKILL, {1})
        eviction.go_on(set(), True, 1.0 + PATIENCE_S)
        assert not eviction.is_over


class TestEnding:
    def test_it_is_over_when_the_worker_has_ended_and_nothing_is_left(self) -> None:
        ending = Ending(110, rank=3)
        assert ending.go_on(ProcessOwnership({3: {110, 200}, 4: {111}}), 0.0) == (SIGKILL, {110, 200})
        ending.go_on(ProcessOwnership({4: {111}}), 1.0)
        assert not ending.is_over  # nobody has said how
        ending.exited = Exited(110, 0, 0, "")
        assert ending.is_over
        assert repr(ending) == "<Ending of worker 3 (110) exited=True>"

    def test_what_is_left_of_an_ended_worker_is_waited_for(self) -> None:
        ending = Ending(110, rank=3)
        ending.exited = Exited(110, 0, 0, "")
        ending.go_on(ProcessOwnership({3: {200}}), 0.0)
        assert not ending.is_over

    def test_the_next_look_is_at_the_time_to_kill_then_once_a_second(self) -> None:
        ending = Ending(110, rank=3)
        ending.grant(5.0)
        assert ending.go_on(ProcessOwnership({3: {110}}), 0.0) == (SIGTERM, {110})
        assert ending.look_at_s == 5.0
        ending.go_on(ProcessOwnership({3: {110}}), 5.0)
        assert ending.look_at_s == 5.0 + AGAIN_S

    def test_doubt_is_looked_at_again_soon(self) -> None:
        ending = Ending(110, rank=3)
        belongings = ProcessOwnership({3: {110}}, doubtful={200})
        ending.go_on(belongings, 1.0)
        assert ending.look_at_s == 1.0 + belongings.pause_s
