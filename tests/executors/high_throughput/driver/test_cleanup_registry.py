"""What the driver tells the interchange to do should it be killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsl.executors.high_throughput.driver.cleanup_registry import CleanupRegistry
from parsl.executors.high_throughput.interchange.cleanup_commands import CleanupRunner

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest


class Interchange:
    """Hears the will, as the real one does."""

    def __init__(self) -> None:
        self.will = CleanupRunner()
        self.words = 0
        self.wholes = 0

    def leave_will(self, commands: list[list[str]]) -> None:
        self.wholes += 1
        self._hear(commands, False)

    def add_to_will(self, commands: list[list[str]]) -> None:
        self._hear(commands, True)

    def _hear(self, commands: list[list[str]], is_addition: bool) -> None:
        self.words += sum(map(len, commands))
        self.will.take(commands, is_addition)


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def _by_500(jobs: Sequence[object]) -> list[list[str]]:
    return [["qdel", *map(str, jobs[at : at + 500])] for at in range(0, len(jobs), 500)]


def test_a_new_job_is_told_of_at_once_and_all_of_them_together_later() -> None:
    interchange, clock = Interchange(), Clock()
    writer = CleanupRegistry("htex", _by_500, interchange, clock)
    writer.add("1")
    writer.add("2")
    assert interchange.will.commands == [["qdel", "2"], ["qdel", "1"]]
    writer.renew(lambda: ["2", "1"])
    assert interchange.will.commands == [["qdel", "2", "1"]]
    clock.now_s = 1.0
    writer.renew(lambda: ["2", "1"])
    assert interchange.wholes == 1
    writer.renew(list)
    assert interchange.will.commands == []


def test_a_job_that_comes_just_after_the_whole_will_is_in_it_all_the_same() -> None:
    interchange, clock = Interchange(), Clock()
    writer = CleanupRegistry("htex", _by_500, interchange, clock)
    writer.renew(lambda: ["1"])
    writer.add("2")
    writer.renew(lambda: ["2", "1"])
    assert interchange.will.commands == [["qdel", "2"], ["qdel", "1"]]
    clock.now_s = 0.01
    writer.renew(lambda: ["2", "1"])
    assert interchange.will.commands == [["qdel", "2", "1"]]


def test_what_many_jobs_cost_does_not_grow_with_their_square() -> None:
    def words(count: int) -> int:
        interchange, clock, jobs = Interchange(), Clock(), []
        writer = CleanupRegistry("htex", _by_500, interchange, clock)
        for number in range(count):
            clock.now_s += 0.1
            jobs.insert(0, str(number))
            writer.add(str(number))
            writer.renew(lambda: list(jobs))
        return interchange.words

    assert words(4000) < 5 * words(1000)


def test_a_provider_that_fails_to_say_how_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def fails(jobs: Sequence[object]) -> list[list[str]]:
        raise KeyError(jobs[0])

    interchange = Interchange()
    CleanupRegistry("htex", fails, interchange).add("1")
    assert interchange.will.commands == []
    assert "Executor htex: should this process die, its jobs are not cancelled" in caplog.text
