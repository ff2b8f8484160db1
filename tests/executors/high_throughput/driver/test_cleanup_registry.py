"""The commands that the driver sends to the interchange, which runs them if the driver is killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsl.executors.high_throughput.driver.cleanup_registry import CleanupRegistry
from parsl.executors.high_throughput.interchange.cleanup_commands import CleanupRunner
from parsl.executors.high_throughput.wire.protocol import CleanupCommands

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest


class Interchange:
    """Receives commands like the real interchange."""

    def __init__(self) -> None:
        self.runner = CleanupRunner()
        self.words = 0
        self.wholes = 0

    def send(self, message: CleanupCommands) -> None:
        self.wholes += not message.is_addition
        self.words += sum(map(len, message.commands))
        self.runner.take(message.commands, message.is_addition)


class Provider:
    """Cancels 500 jobs with each command."""

    def cancel_commands(self, job_ids: Sequence[object]) -> list[list[str]]:
        return [["qdel", *map(str, job_ids[at : at + 500])] for at in range(0, len(job_ids), 500)]


class FailingProvider:
    def cancel_commands(self, job_ids: Sequence[object]) -> list[list[str]]:
        raise KeyError(job_ids[0])


class Jobs:
    def __init__(self, *jobs: object) -> None:
        self.jobs = list(jobs)

    def jobs_to_cancel(self) -> list[object]:
        return self.jobs


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


PROVIDER = Provider()


def test_the_command_for_a_new_job_is_sent_at_once_and_all_commands_later() -> None:
    interchange, clock = Interchange(), Clock()
    registry = CleanupRegistry("htex", PROVIDER, interchange, clock)
    registry.add("1")
    registry.add("2")
    assert interchange.runner.commands == [["qdel", "2"], ["qdel", "1"]]
    registry.update(Jobs("2", "1"))
    assert interchange.runner.commands == [["qdel", "2", "1"]]
    clock.now_s = 1.0
    registry.update(Jobs("2", "1"))
    assert interchange.wholes == 1
    registry.update(Jobs())
    assert interchange.runner.commands == []


def test_a_job_submitted_just_after_all_commands_were_sent_is_included() -> None:
    interchange, clock = Interchange(), Clock()
    registry = CleanupRegistry("htex", PROVIDER, interchange, clock)
    registry.update(Jobs("1"))
    registry.add("2")
    registry.update(Jobs("2", "1"))
    assert interchange.runner.commands == [["qdel", "2"], ["qdel", "1"]]
    clock.now_s = 0.01
    registry.update(Jobs("2", "1"))
    assert interchange.runner.commands == [["qdel", "2", "1"]]


def test_the_cost_of_many_jobs_does_not_grow_with_their_square() -> None:
    def words(count: int) -> int:
        interchange, clock, jobs = Interchange(), Clock(), []
        registry = CleanupRegistry("htex", PROVIDER, interchange, clock)
        for number in range(count):
            clock.now_s += 0.1
            jobs.insert(0, str(number))
            registry.add(str(number))
            registry.update(Jobs(*jobs))
        return interchange.words

    assert words(4000) < 5 * words(1000)


def test_an_error_in_a_provider_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    interchange = Interchange()
    CleanupRegistry("htex", FailingProvider(), interchange).add("1")
    assert interchange.runner.commands == []
    assert "Executor htex: should this process die, its jobs are not cancelled" in caplog.text
