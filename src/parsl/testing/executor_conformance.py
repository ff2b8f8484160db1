"""Tests that every executor passes, for the executors of this package and for those of others.

Subclass :class:`ExecutorConformance` in a test module and define how to make the executor::

    from parsl.testing.executor_conformance import ExecutorConformance

    class TestMyExecutor(ExecutorConformance):
        def make_executor(self, directory):
            return MyExecutor(label="conforming")

pytest collects the class, and runs each test with a run of its own. The functions of the tasks are those of
this module, so that workers need nothing else than Parsl.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, wait
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest

import parsl
from parsl import Config, File, bash_app, python_app
from parsl.app.errors import AppTimeout, BashExitFailure
from parsl.dataflow.errors import DependencyError
from parsl.executors.base import ParslExecutor
from parsl.executors.errors import InvalidResourceSpecification
from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost
from parsl.failure_facts import facts_of
from parsl.serialize.errors import SerializationError

#: How long a test waits for anything, in seconds. It bounds a failure; a test that passes does not wait.
LIMIT_S = 120.0


class CustomError(Exception):
    """An error whose constructor has other parameters than the exception's arguments."""

    def __init__(self, first: int, *, second: str) -> None:
        super().__init__(f"{first} and {second}")
        self.first = first
        self.second = second

    def __reduce__(self) -> tuple[Any, ...]:
        return _custom_error, (self.first, self.second)


def _custom_error(first: int, second: str) -> CustomError:
    return CustomError(first, second=second)


def add(a: int, b: int = 0) -> int:
    """Return the sum."""
    return a + b


def fail_with_cause() -> None:
    """Raise a CustomError because of a KeyError."""
    try:
        os.environ["PARSL_NO_SUCH_VARIABLE"]
    except KeyError as error:
        raise CustomError(7, second="seven") from error


def length(data: bytes) -> int:
    """Return the length of some bytes."""
    return len(data)


def repeat(count: int) -> bytes:
    """Return bytes of this length."""
    return b"x" * count


def wait_for(path: str) -> str:
    """Return when a file exists."""
    while not os.path.exists(path):
        time.sleep(0.01)
    return path


def fail_until(path: str, attempts: int) -> int:
    """Fail until it was called this often; each call appends a line to the file."""
    with open(path, "a") as file:
        file.write("attempt\n")
    count = len(Path(path).read_text().splitlines())
    if count < attempts:
        raise ValueError(f"attempt {count}")
    return count


def write_number(path: str, number: int) -> None:
    """Append a line with a number to a file, after a tenth of a second."""
    time.sleep(0.1)
    with open(path, "a") as file:
        file.write(f"{number}\n")


def write_line(text: str, outputs: Any = ()) -> None:
    """Write a line into the output file."""
    Path(outputs[0].filepath).write_text(f"{text}\n")


def echo(text: str, stdout: str = "") -> str:
    """Return a command that prints the text."""
    return f"echo {text}"


def end_with(code: int, stderr: str = "") -> str:
    """Return a command that fails."""
    return f"echo the reason >&2; exit {code}"


def exit_with(code: int) -> None:
    """Call os._exit, as a crash would: no exception, no clean-up."""
    os._exit(code)


class ExecutorConformance:
    """The suite. A subclass implements :meth:`make_executor`, and may change the attributes below."""

    #: Whether a running task can be cancelled.
    cancels_running = False
    #: Whether a task that waits for a free worker can be cancelled.
    cancels_queued = True
    #: Whether waiting tasks with a smaller ``priority`` in their specification run before others.
    prioritizes = False
    #: Whether calls must be picklable, because workers are other processes.
    pickles = True
    #: Whether a task that ends its worker process fails, and later tasks run.
    survives_lost_workers = True
    #: Whether the same object can be loaded again.
    restarts = True
    #: A resource specification of which no worker has enough; None if the executor has none.
    unsatisfiable: ClassVar[dict[str, Any] | None] = None
    #: How many workers the executor has.
    workers = 2
    #: How many tasks are many; fewer for an engine that starts a process for each of them.
    many = 200

    #: The resource specification of tasks that need none; None if the executor requires none.
    specification: ClassVar[dict[str, Any] | None] = None

    def make_executor(self, directory: Path) -> ParslExecutor:
        """Return a new executor.

        Args:
            directory: A temporary directory of the test.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define make_executor")

    def app(self, function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        """Return a Python app whose calls have the specification of the suite, unless they have their own."""
        return self._specified(python_app(function, **options))

    def bash_app(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a bash app, likewise."""
        return self._specified(bash_app(function))

    def _specified(self, app: Callable[..., Any]) -> Callable[..., Any]:
        given = self.specification
        return app if given is None else partial(app, parsl_resource_specification=given)

    @pytest.fixture
    def executor(self, tmp_path: Path) -> ParslExecutor:
        """The executor of the test."""
        return self.make_executor(tmp_path)

    @pytest.fixture
    def load(self, executor: ParslExecutor, tmp_path: Path) -> Iterator[Callable[..., Any]]:
        """A function that loads a configuration with the executor and the given options."""
        kernels = []

        def load(**options: Any) -> Any:
            options = {"run_dir": str(tmp_path / "runinfo"), "strategy": "simple", **options}
            kernels.append(parsl.load(Config(executors=[executor], **options)))
            return kernels[-1]

        yield load
        for kernel in kernels:
            kernel.cleanup()
        parsl.clear()

    def test_results_and_arguments(self, load: Callable[..., Any]) -> None:
        load()
        app = self.app(add)
        assert app(1, b=2).result(LIMIT_S) == 3
        assert app(a=3).result(LIMIT_S) == 3

    def test_functions_of_a_script(self, load: Callable[..., Any]) -> None:
        load()
        offset = 5
        app = self.app(lambda value: value + offset)
        assert [app(number).result(LIMIT_S) for number in range(3)] == [5, 6, 7]

    def test_many_tasks(self, load: Callable[..., Any]) -> None:
        load()
        app = self.app(add)
        futures = [app(number, b=1) for number in range(self.many)]
        assert [future.result(LIMIT_S) for future in futures] == list(range(1, self.many + 1))

    def test_equal_calls_all_run(self, load: Callable[..., Any], tmp_path: Path) -> None:
        load()
        app = self.app(fail_until)
        path = str(tmp_path / "calls")
        for future in [app(path, attempts=0) for _ in range(5)]:
            future.result(LIMIT_S)
        assert len(Path(path).read_text().splitlines()) == 5

    def test_dependencies(self, load: Callable[..., Any]) -> None:
        load()
        app = self.app(add)
        future = app(1)
        links = min(10, self.many)
        for _ in range(links):
            future = app(future, b=1)
        assert app(future, b=future).result(LIMIT_S) == 2 * (1 + links)

    def test_an_error_keeps_its_type_traceback_and_cause(self, load: Callable[..., Any]) -> None:
        load()
        error = self.app(fail_with_cause)().exception(LIMIT_S)
        assert type(error) is CustomError
        assert (error.first, error.second) == (7, "seven")
        assert isinstance(error.__cause__, KeyError)
        trace = error.__traceback__
        names = []
        while trace is not None:
            names.append(trace.tb_frame.f_code.co_name)
            trace = trace.tb_next
        assert "fail_with_cause" in names

    def test_a_dependent_task_fails_with_the_cause(self, load: Callable[..., Any]) -> None:
        load()
        error = self.app(add)(self.app(fail_with_cause)()).exception(LIMIT_S)
        assert isinstance(error, DependencyError)
        assert isinstance(error.__cause__, CustomError)

    def test_large_arguments_and_results(self, load: Callable[..., Any]) -> None:
        load()
        size = 5_000_000
        assert self.app(length)(b"x" * size).result(LIMIT_S) == size
        assert len(self.app(repeat)(size).result(LIMIT_S)) == size

    def test_an_argument_that_cannot_be_sent(self, load: Callable[..., Any]) -> None:
        load()
        held = __import__("threading").Lock()
        held.acquire()
        future = self.app(add)(held, b=1)
        error = future.exception(LIMIT_S)
        if self.pickles:
            assert isinstance(error, SerializationError)
        assert self.app(add)(1, b=1).result(LIMIT_S) == 2

    def test_retries_are_counted_by_the_kernel(self, load: Callable[..., Any], tmp_path: Path) -> None:
        load(retries=2)
        path = str(tmp_path / "attempts")
        assert self.app(fail_until)(path, attempts=3).result(LIMIT_S) == 3
        other = str(tmp_path / "others")
        assert isinstance(self.app(fail_until)(other, attempts=9).exception(LIMIT_S), ValueError)
        assert len(Path(other).read_text().splitlines()) == 3

    def test_bash_apps(self, load: Callable[..., Any], tmp_path: Path) -> None:
        load()
        out = str(tmp_path / "out.txt")
        assert self.bash_app(echo)("hello", stdout=out).result(LIMIT_S) == 0
        assert Path(out).read_text() == "hello\n"
        error = self.bash_app(end_with)(3, stderr=str(tmp_path / "err.txt")).exception(LIMIT_S)
        assert isinstance(error, BashExitFailure)
        assert error.exitcode == 3

    def test_output_files(self, load: Callable[..., Any], tmp_path: Path) -> None:
        load()
        path = tmp_path / "line.txt"
        future = self.app(write_line)("text", outputs=[File(str(path))])
        assert future.outputs[0].result(LIMIT_S).filepath == str(path)
        assert path.read_text() == "text\n"

    def test_memoization(self, load: Callable[..., Any], tmp_path: Path) -> None:
        load()
        app = self.app(fail_until, cache=True)
        path = str(tmp_path / "memo")
        assert [app(path, attempts=0).result(LIMIT_S) for _ in range(3)] == [1, 1, 1]

    def test_a_walltime_ends_a_task(self, load: Callable[..., Any], tmp_path: Path) -> None:
        load()
        error = self.app(wait_for)(str(tmp_path / "never"), walltime=1).exception(LIMIT_S)
        assert isinstance(error, AppTimeout)

    def test_a_key_that_is_not_known(self, load: Callable[..., Any]) -> None:
        load()
        with pytest.raises(InvalidResourceSpecification, match="no_such_key"):
            self.app(add)(1, parsl_resource_specification={"no_such_key": 1}).result(LIMIT_S)

    def test_a_request_that_nothing_satisfies(self, load: Callable[..., Any]) -> None:
        if self.unsatisfiable is None:
            pytest.skip("this executor has no request that no worker can satisfy")
        load()
        self.app(add)(1).result(LIMIT_S)  # the workers are known now
        with pytest.raises(InvalidResourceSpecification):
            self.app(add)(1, parsl_resource_specification=self.unsatisfiable).result(LIMIT_S)

    def test_smaller_priorities_run_first(self, load: Callable[..., Any], tmp_path: Path) -> None:
        if not self.prioritizes:
            pytest.skip("this executor has no priorities, see its documentation")
        load()
        gate, log = tmp_path / "gate", tmp_path / "log"
        started = [tmp_path / f"started-{number}" for number in range(self.workers * 3)]
        running = [self.app(start_and_wait)(str(path), str(gate)) for path in started]
        wait_until(lambda: sum(path.exists() for path in started) >= self.workers)
        given = self.specification or {}
        late, urgent = ({**given, "priority": number} for number in (9, -9))
        write = self.app(write_number)
        numbers = range(4 + 4 * self.workers)
        running += [write(str(log), number, parsl_resource_specification=late) for number in numbers]
        running.append(write(str(log), -1, parsl_resource_specification=urgent))
        gate.touch()
        for future in running:
            future.result(LIMIT_S)
        # An engine may have started some when the urgent one arrives.
        assert log.read_text().split().index("-1") <= 2 + 2 * self.workers

    def test_a_queued_task_is_cancelled(self, load: Callable[..., Any], tmp_path: Path) -> None:
        if not self.cancels_queued:
            pytest.skip("this executor cannot cancel queued tasks, see its documentation")
        load()
        gate = str(tmp_path / "gate")
        # More than the engine keeps ready for its workers.
        running = [self.app(wait_for)(gate) for _ in range(self.workers * 3)]
        marker = tmp_path / "ran"
        last = self.app(fail_until)(str(marker), attempts=0)
        assert last.cancel()
        Path(gate).touch()
        wait(running, LIMIT_S)
        with pytest.raises(CancelledError):
            last.result(LIMIT_S)
        assert not marker.exists()

    def test_a_running_task_is_cancelled(self, load: Callable[..., Any], tmp_path: Path) -> None:
        if not self.cancels_running:
            pytest.skip("this executor cannot cancel running tasks, see its documentation")
        load()
        started = tmp_path / "started"
        future = self.app(start_and_wait)(str(started), str(tmp_path / "never"))
        wait_until(started.exists)
        assert future.cancel()
        with pytest.raises(CancelledError):
            future.result(LIMIT_S)
        assert self.app(add)(1).result(LIMIT_S) == 1

    def test_a_lost_worker(self, load: Callable[..., Any]) -> None:
        if not self.survives_lost_workers:
            pytest.skip("the tasks of this executor run in the driver's process")
        load()
        error = self.app(exit_with)(9).exception(LIMIT_S)
        assert isinstance(error, (WorkerLost, ManagerLost))
        assert self.app(add)(1, b=1).result(LIMIT_S) == 2

    def test_failures_name_the_place(self, load: Callable[..., Any]) -> None:
        load()
        error = self.app(fail_with_cause)().exception(LIMIT_S)
        assert error is not None
        assert facts_of(error).app == "fail_with_cause"
        assert facts_of(error).host or not self.pickles

    def test_every_future_is_done_after_the_end(
        self, load: Callable[..., Any], executor: ParslExecutor, tmp_path: Path
    ) -> None:
        kernel = load()
        gate = tmp_path / "gate"
        futures = [self.app(wait_for)(str(gate)) for _ in range(self.workers * 2)]
        gate.touch()
        kernel.cleanup()
        assert all(future.done() for future in futures)
        with pytest.raises(Exception, match=r"(?i)shut ?down|closed"):
            executor.submit(add, dict(self.specification or {}), 1)

    def test_the_executor_can_be_loaded_again(self, load: Callable[..., Any]) -> None:
        if not self.restarts:
            pytest.skip("this executor serves one run, and its error explains that")
        load().cleanup()
        parsl.clear()
        load()
        assert self.app(add)(1, b=1).result(LIMIT_S) == 2


def start_and_wait(started: str, gate: str) -> str:
    """Make a file, and return when another one exists."""
    Path(started).touch()
    return wait_for(gate)


def wait_until(condition: Callable[[], object]) -> None:
    """Return when the condition holds, or raise AssertionError at the deadline."""
    end_s = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > end_s:
            raise AssertionError(f"not true within {LIMIT_S:g} s")
        time.sleep(0.01)
