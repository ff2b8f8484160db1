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


class RunProvider(Provider):
    """Cancels everything of the run with one command, and jobs with the same one or with others."""

    def __init__(self, *, has_jobs: bool) -> None:
        self.has_jobs = has_jobs

    def cleanup_commands(self) -> list[list[str]]:
        return [["sweep", "run"]]

    def cancel_commands(self, job_ids: Sequence[object]) -> list[list[str]]:
        return super().cancel_commands(job_ids) if self.has_jobs else self.cleanup_commands()


class FailingProvider:
    def cancel_commands(self, job_ids: Sequence[object]) -> list[list[str]]:
        raise KeyError(job_ids[0])


class Blocks:
    jobs: Sequence[object] = ()
    uncancelled: Sequence[object] = ()

    def jobs_to_cancel(self) -> list[object]:
        return list(self.jobs)

    def uncancelled_jobs(self) -> list[object]:
        return list(self.uncancelled)


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Driver:
    """A registry, with the interchange that receives its messages."""

    def __init__(self, provider: Provider | FailingProvider) -> None:
        self.interchange, self.blocks, self.clock = Interchange(), Blocks(), Clock()
        self.registry = CleanupRegistry("htex", self.blocks, provider, self.interchange, self.clock)

    @property
    def commands(self) -> list[list[str]]:
        return self.interchange.runner.commands

    def poll(self, *jobs: object) -> None:
        self.blocks.jobs = jobs
        self.registry.blocks_polled()


def test_the_command_for_a_new_job_is_sent_at_once_and_all_commands_later() -> None:
    driver = Driver(Provider())
    driver.registry.job_submitted("1")
    driver.registry.job_submitted("2")
    assert driver.commands == [["qdel", "2"], ["qdel", "1"]]
    driver.poll("2", "1")
    assert driver.commands == [["qdel", "2", "1"]]
    driver.clock.now_s = 1.0
    driver.poll("2", "1")
    assert driver.interchange.wholes == 1
    driver.poll()
    assert driver.commands == []


def test_a_job_submitted_just_after_all_commands_were_sent_is_included() -> None:
    driver = Driver(Provider())
    driver.poll("1")
    driver.registry.job_submitted("2")
    driver.poll("2", "1")
    assert driver.commands == [["qdel", "2"], ["qdel", "1"]]
    driver.clock.now_s = 0.01
    driver.poll("2", "1")
    assert driver.commands == [["qdel", "2", "1"]]


def test_the_cost_of_many_jobs_does_not_grow_with_their_square() -> None:
    def words(count: int) -> int:
        driver, jobs = Driver(Provider()), []
        for number in range(count):
            driver.clock.now_s += 0.1
            jobs.insert(0, str(number))
            driver.registry.job_submitted(str(number))
            driver.poll(*jobs)
        return driver.interchange.words

    assert words(4000) < 5 * words(1000)


def test_after_the_cancellation_all_commands_are_taken_back(caplog: pytest.LogCaptureFixture) -> None:
    driver = Driver(Provider())
    driver.registry.job_submitted("1")
    driver.registry.jobs_cancelled()
    assert driver.commands == []
    assert not caplog.records


def test_jobs_that_the_scheduler_did_not_cancel_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    driver = Driver(Provider())
    driver.blocks.uncancelled = ["7", "8"]
    driver.registry.jobs_cancelled()
    assert "has not accepted the cancellation of jobs ['7', '8']. Cancel them yourself." in caplog.text


def test_an_error_in_a_provider_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    driver = Driver(FailingProvider())
    driver.registry.job_submitted("1")
    assert driver.commands == []
    assert "Executor htex: if this process dies, its jobs will not be cancelled" in caplog.text


def test_the_commands_of_the_run_are_known_before_the_first_job_and_sent_once() -> None:
    driver = Driver(RunProvider(has_jobs=False))
    driver.registry.start()
    assert driver.commands == [["sweep", "run"]]
    driver.registry.job_submitted("1")
    driver.poll("1")
    assert driver.commands == [["sweep", "run"]]
    assert driver.interchange.wholes == 1
    driver.registry.jobs_cancelled()
    assert driver.commands == []


def test_the_commands_of_the_run_come_last() -> None:
    driver = Driver(RunProvider(has_jobs=True))
    driver.registry.start()
    driver.poll("1")
    assert driver.commands == [["qdel", "1"], ["sweep", "run"]]
    driver.clock.now_s = 1.0
    driver.poll()
    assert driver.commands == [["sweep", "run"]]
