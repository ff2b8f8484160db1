"""Which processes get SIGTERM and SIGKILL, and when the end is complete."""

from __future__ import annotations

from signal import SIGKILL, SIGTERM

from parsl.executors.high_throughput.wire.fork_orders import Exited
from parsl.executors.high_throughput.worker.process_ownership import ProcessOwnership
from parsl.executors.high_throughput.worker.reaper import (
    KILL_PERIOD_S,
    UNDECIDED_TIMEOUT_S,
    Eviction,
    WorkerEnd,
)


class TestEviction:
    def test_each_gets_one_sigterm_and_sigkill_until_it_is_gone(self) -> None:
        eviction = Eviction(kill_at_s=10.0)
        assert eviction.advance({1, 2}, False, 0.0) == (SIGTERM, {1, 2})
        assert eviction.advance({1, 2, 3}, False, 1.0) == (SIGTERM, {3})
        assert eviction.advance({2, 3}, False, 10.0) == (SIGKILL, {2, 3})
        assert eviction.advance({3, 4}, False, 11.0) == (SIGKILL, {3, 4})
        assert not eviction.is_over
        assert eviction.advance(set(), False, 12.0) == (SIGKILL, set())
        assert eviction.is_over
        assert repr(eviction) == "<Eviction signalled=3 is_over=True>"

    def test_without_a_time_they_are_killed_at_once(self) -> None:
        assert Eviction().advance({1}, False, 5.0) == (SIGKILL, {1})

    def test_undecided_orphans_delay_the_end_but_not_forever(self) -> None:
        eviction = Eviction()
        eviction.advance({1}, True, 0.0)
        eviction.advance(set(), True, 100.0)
        assert not eviction.is_over
        eviction.advance(set(), True, 100.0 + UNDECIDED_TIMEOUT_S)
        assert eviction.is_over

    def test_an_orphan_that_belongs_to_it_restarts_the_delay(self) -> None:
        eviction = Eviction()
        eviction.advance(set(), True, 0.0)
        assert eviction.advance({1}, False, 1.0) == (SIGKILL, {1})
        eviction.advance(set(), True, 1.0 + UNDECIDED_TIMEOUT_S)
        assert not eviction.is_over


class TestWorkerEnd:
    def test_the_end_is_complete_without_the_worker_and_its_processes(self) -> None:
        end = WorkerEnd(110, rank=3)
        assert end.advance(ProcessOwnership({3: {110, 200}, 4: {111}}), 0.0) == (SIGKILL, {110, 200})
        end.advance(ProcessOwnership({4: {111}}), 1.0)
        assert end.eviction.is_over
        assert repr(end) == "<WorkerEnd of worker 3 (110) exited=False>"
        end.exited = Exited(110, 0, 0, "")
        assert repr(end) == "<WorkerEnd of worker 3 (110) exited=True>"

    def test_the_remaining_processes_of_an_ended_worker_are_waited_for(self) -> None:
        end = WorkerEnd(110, rank=3)
        end.exited = Exited(110, 0, 0, "")
        end.advance(ProcessOwnership({3: {200}}), 0.0)
        assert not end.eviction.is_over

    def test_the_next_inspection_is_at_the_time_to_kill_and_then_once_a_second(self) -> None:
        end = WorkerEnd(110, rank=3)
        end.eviction.kill_at_s = 5.0
        assert end.advance(ProcessOwnership({3: {110}}), 0.0) == (SIGTERM, {110})
        assert end.look_at_s == 5.0
        end.advance(ProcessOwnership({3: {110}}), 5.0)
        assert end.look_at_s == 5.0 + KILL_PERIOD_S

    def test_undecided_orphans_cause_an_early_inspection(self) -> None:
        end = WorkerEnd(110, rank=3)
        ownership = ProcessOwnership({3: {110}}, undecided={200})
        end.advance(ownership, 1.0)
        assert end.look_at_s == 1.0 + ownership.pause_s
