"""Tests that every provider passes, for the providers of this package and for those of others.

Subclass :class:`ProviderConformance` in a test module, and define how to make the provider and how to find
what it has left behind::

    from parsl.testing.provider_conformance import ProviderConformance

    class TestMyProvider(ProviderConformance):
        def make_provider(self, directory):
            return MyProvider(**self.limits)

        def remaining(self, directory):
            return my_service.machines()

The tests run blocks of a HighThroughputExecutor with real tasks. A service that runs elsewhere, such as a
cloud, needs a stand-in that runs the command of a block on this machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, ClassVar

import pytest

import parsl
from parsl import Config, python_app
from parsl.common.processes import family, process_table
from parsl.executors import HighThroughputExecutor
from parsl.providers.base import ExecutionProvider
from parsl.testing.executor_conformance import LIMIT_S, add, start_and_wait, wait_for, wait_until
from parsl.vocabulary.job_states import JobState, JobStatus

#: The kinds of faults that a service can be made to answer with; see :meth:`ProviderConformance.faults`.
FAULTS = ("throttling", "errors")

_DRIVER = """
from pathlib import Path

import parsl
from parsl import Config, python_app
from parsl.testing.provider_conformance import block_executor, note_and_return

{provider_code}

if __name__ == "__main__":
    directory, many = Path({directory!r}), {many}
    options = {{"run_dir": str(directory / "runinfo"), "checkpoint_mode": "task_exit", "usage_tracking": 0}}
    with parsl.load(Config(executors=[block_executor(provider)], **options)):
        app = python_app(note_and_return, cache=True)
        noted, gate = str(directory / "noted"), str(directory / "gate")
        quick = [app(number, noted) for number in range(many // 2)]
        waiting = [app(number, noted, gate) for number in range(many // 2, many)]
        total = sum(future.result() for future in quick)
        (directory / "half").touch()
        total += sum(future.result() for future in waiting)
        (directory / "total").write_text(str(total))
"""


def block_executor(provider: ExecutionProvider) -> HighThroughputExecutor:
    """Return the executor of the suite: two workers in each block, which connect to the loopback address."""
    return HighThroughputExecutor(
        label="conforming",
        provider=provider,
        address="127.0.0.1",
        max_workers_per_node=2,
        cores_per_worker=0.01,
    )


class ProviderConformance:
    """The suite. A subclass implements the first methods, and may change the attributes."""

    #: The block limits for :meth:`make_provider`.
    limits: ClassVar[dict[str, int]] = {"init_blocks": 1, "min_blocks": 0, "max_blocks": 2}
    #: Whether the status of a job that has failed contains the exit code of its command.
    reports_exit_codes = True
    #: Whether the output of a job that has ended is in the files that its status names.
    keeps_output = True
    #: Whether ``on_job_end`` is called when a job has ended by itself.
    notices_ends = True
    #: Whether a job of an id that the provider does not know is MISSING, and not an error of the caller.
    knows_unknown_ids = True
    #: How many retries a task needs whose block is lost; 0 for a service that takes machines away.
    retries_of_lost_tasks = 1
    #: What :meth:`faults` can inject.
    injectable: Collection[str] = ()
    #: How many tasks are many.
    many = 200

    def make_provider(self, directory: Path) -> ExecutionProvider:
        """Return a new provider with the block limits :attr:`limits`.

        Args:
            directory: A temporary directory of the test.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define make_provider")

    def remaining(self, directory: Path) -> Collection[object]:
        """Return what still exists of the provider's jobs: machines, pods, processes.

        Args:
            directory: The temporary directory of the test.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define remaining")

    def lose(self, job_id: object) -> None:
        """End a job as another person, or a broken node, would: without a call of the provider."""
        pytest.skip("this suite cannot take a job away")

    def faults(self, kind: str) -> AbstractContextManager[object]:
        """Return a context in which the service refuses or fails part of the requests.

        Args:
            kind: One of :data:`FAULTS`.
        """
        return nullcontext()

    def driver_code(self, directory: Path) -> str | None:
        """Return lines of Python that set ``provider`` in a driver of its own; None to skip that test.

        Args:
            directory: The temporary directory of the test.
        """
        return None

    @pytest.fixture
    def provider(self, tmp_path: Path) -> Iterator[ExecutionProvider]:
        """The provider of the test, ready for ``submit``; the test ends with nothing left."""
        provider = self.make_provider(tmp_path)
        provider.script_dir = str(tmp_path / "scripts")
        provider.prepare("conformance")
        yield provider
        provider.cancel(list(provider.resources))
        provider.close()
        wait_until(lambda: not self.remaining(tmp_path))

    @pytest.fixture
    def load(self, tmp_path: Path) -> Iterator[Callable[..., HighThroughputExecutor]]:
        """A function that loads a configuration with the provider, and returns its executor."""
        kernels = []

        def load(**options: Any) -> HighThroughputExecutor:
            executor = block_executor(self.make_provider(tmp_path))
            options = {"run_dir": str(tmp_path / "runinfo"), "strategy": "simple", **options}
            kernels.append(parsl.load(Config(executors=[executor], **options)))
            return executor

        yield load
        for kernel in kernels:
            kernel.cleanup()
        parsl.clear()
        wait_until(lambda: not self.remaining(tmp_path))

    def run(self, provider: ExecutionProvider, command: str) -> tuple[object, JobStatus]:
        """Run one job to its end; return its id and its last status."""
        job_id = provider.submit(command, 1, "conformance")
        wait_until(lambda: status_of(provider, job_id).terminal)
        return job_id, status_of(provider, job_id)

    def start(self, provider: ExecutionProvider, directory: Path) -> object:
        """Start a job that runs until it is cancelled; return its id."""
        marker = directory / f"started-{len(provider.resources)}"
        job_id = provider.submit(f"touch '{marker}'; sleep 1000", 1, "conformance")
        wait_until(lambda: marker.exists() and status_of(provider, job_id).state is JobState.RUNNING)
        return job_id

    def test_a_job_runs_and_completes(self, provider: ExecutionProvider, tmp_path: Path) -> None:
        job_id, status = self.run(provider, f"touch '{tmp_path}/ran'; echo some output")
        assert status.state is JobState.COMPLETED
        assert (tmp_path / "ran").exists()
        if self.keeps_output:
            assert "some output" in (status.stdout or "")
        assert provider.resources[job_id]["status"].state is JobState.COMPLETED

    def test_a_job_fails(self, provider: ExecutionProvider) -> None:
        _, status = self.run(provider, "exit 3")
        assert status.state is JobState.FAILED
        if self.reports_exit_codes:
            assert status.exit_code == 3

    def test_a_job_is_cancelled(self, provider: ExecutionProvider, tmp_path: Path) -> None:
        job_id = self.start(provider, tmp_path)
        assert list(provider.cancel([job_id])) == [True]
        wait_until(lambda: status_of(provider, job_id).terminal)
        assert status_of(provider, job_id).state in (JobState.CANCELLED, JobState.MISSING)
        provider.cancel([job_id])
        wait_until(lambda: not self.remaining(tmp_path))

    def test_statuses_are_in_the_order_of_the_ids(self, provider: ExecutionProvider, tmp_path: Path) -> None:
        ended, _ = self.run(provider, "true")
        running = self.start(provider, tmp_path)
        states = [status.state for status in provider.status([running, ended, running])]
        assert states == [JobState.RUNNING, JobState.COMPLETED, JobState.RUNNING]

    def test_no_ids_are_not_all_ids(self, provider: ExecutionProvider, tmp_path: Path) -> None:
        job_id = self.start(provider, tmp_path)
        assert list(provider.status([])) == []
        assert list(provider.cancel([])) == []
        assert provider.cancel_commands([]) == []
        assert status_of(provider, job_id).state is JobState.RUNNING

    def test_unknown_ids(self, provider: ExecutionProvider, tmp_path: Path) -> None:
        if not self.knows_unknown_ids:
            pytest.skip("this provider queries a scheduler about ids that it does not know")
        job_id = self.start(provider, tmp_path)
        assert status_of(provider, "no-such-job").state is JobState.MISSING
        assert len(provider.cancel(["no-such-job"])) == 1
        assert status_of(provider, job_id).state is JobState.RUNNING

    def test_the_end_of_a_job_is_noticed(self, provider: ExecutionProvider, tmp_path: Path) -> None:
        if not self.notices_ends:
            pytest.skip("this provider is queried about the ends of jobs")
        ended: list[str] = []
        provider.on_job_end = ended.append
        gate = tmp_path / "gate"
        job_id = provider.submit(f"until [ -e '{gate}' ]; do sleep 0.05; done", 1, "conformance")
        gate.touch()
        wait_until(lambda: job_id in ended)
        assert status_of(provider, job_id).terminal

    def test_many_tasks_with_scale_out_and_in(self, load: Callable[..., Any], tmp_path: Path) -> None:
        executor = load(strategy="none", retries=1)
        app = python_app(add)
        futures = [app(number, b=1) for number in range(self.many // 2)]
        executor.scale_out_facade(1)
        wait_until(lambda: len(executor.connected_blocks()) == 2)
        futures += [app(number, b=1) for number in range(self.many // 2)]
        executor.scale_in_facade(1)
        expected = list(range(1, self.many // 2 + 1)) * 2
        assert [future.result(LIMIT_S) for future in futures] == expected
        wait_until(lambda: len(executor.connected_blocks()) == 1)

    def test_a_block_lost_under_tasks(self, load: Callable[..., Any], tmp_path: Path) -> None:
        executor = load(retries=self.retries_of_lost_tasks)
        gate = tmp_path / "gate"
        futures = self._start_tasks(tmp_path, gate, 6)
        wait_until(lambda: (tmp_path / "started-0").exists())
        self.lose(next(iter(executor.blocks_to_job_id.values())))
        wait_until(lambda: executor.status_facade["0"].terminal)
        gate.touch()
        assert [future.result(LIMIT_S) for future in futures] == [str(gate)] * len(futures)

    @pytest.mark.parametrize("kind", FAULTS)
    def test_faults_of_the_service(self, load: Callable[..., Any], tmp_path: Path, kind: str) -> None:
        if kind not in self.injectable:
            pytest.skip(f"this suite injects no {kind}")
        with self.faults(kind):
            load(retries=1)
            app = python_app(add)
            futures = [app(number) for number in range(self.many)]
            assert [future.result(LIMIT_S) for future in futures] == list(range(self.many))
            parsl.dfk().cleanup()
            wait_until(lambda: not self.remaining(tmp_path))

    def test_a_killed_driver_leaves_nothing(self, tmp_path: Path) -> None:
        provider_code = self.driver_code(tmp_path)
        if provider_code is None:
            pytest.skip("this suite starts no driver of its own")
        noted = tmp_path / "noted"
        noted.mkdir()
        script, half = tmp_path / "driver.py", self.many // 2
        names = {"provider_code": provider_code, "directory": str(tmp_path), "many": self.many}
        script.write_text(_DRIVER.format(**names))
        with _driver(script) as process:
            try:
                is_waiting = [tmp_path / "half", noted / str(half)]
                wait_until(lambda: process.poll() is not None or all(path.exists() for path in is_waiting))
                assert process.poll() is None, script.with_suffix(".out").read_text()
                assert self.remaining(tmp_path)
                started = family(process_table(), [process.pid])
            finally:
                process.kill()
        wait_until(lambda: not self.remaining(tmp_path))
        self._restart(script)
        counts = [len((noted / str(number)).read_text()) for number in range(self.many)]
        assert counts[:half] == [1] * half, "the checkpoint has their results"
        wait_until(lambda: started.keys().isdisjoint(process_table()))
        wait_until(lambda: not self.remaining(tmp_path))

    def _restart(self, script: Path) -> None:
        """Run the driver again, and let its tasks end."""
        (script.parent / "gate").touch()
        with _driver(script) as process:
            try:
                wait_until(lambda: process.poll() is not None)
            finally:
                process.kill()
        assert process.returncode == 0, script.with_suffix(".out").read_text()
        assert (script.parent / "total").read_text() == str(sum(range(self.many)))

    def _start_tasks(self, directory: Path, gate: Path, count: int) -> list[Future[str]]:
        app = python_app(start_and_wait)
        return [app(str(directory / f"started-{number}"), str(gate)) for number in range(count)]


def status_of(provider: ExecutionProvider, job_id: object) -> JobStatus:
    """Return the status of one job."""
    (status,) = provider.status([job_id])
    return status


def note_and_return(number: int, directory: str, gate: str | None = None) -> int:
    """Note in a directory that a task runs, and return its number; if there is a gate, when that exists."""
    with open(Path(directory) / str(number), "a") as file:
        file.write("x")
    if gate is not None:
        wait_for(gate)
    return number


def _driver(script: Path) -> subprocess.Popen[bytes]:
    """Start a driver whose output is added to a file next to its script."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with script.with_suffix(".out").open("a") as out:
        return subprocess.Popen(
            [sys.executable, str(script)], stdout=out, stderr=subprocess.STDOUT, env=environment
        )
