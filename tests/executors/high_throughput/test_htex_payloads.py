"""Arguments and results that are large, share memory, or cannot be pickled."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from parsl.app.errors import AppException
from parsl.executors.high_throughput.errors import ManagerLost
from parsl.serialize.errors import DeserializationError, SerializationError
from tests.system import tasks

if TYPE_CHECKING:
    from tests.system.fixtures import StartRun
    from tests.system.run import Run

LARGE = 50_000_000


class Unloadable:
    """Can be pickled, but not unpickled in another process."""

    def __init__(self, home: int) -> None:
        self.home = home

    def __reduce__(self) -> Any:
        return _load_at_home, (self.home,)


def _load_at_home(home: int) -> Unloadable:
    import os

    if os.getpid() != home:
        raise OSError("far from home")
    return Unloadable(home)


@pytest.fixture(params=["local", "tcp"])
def run(request: pytest.FixtureRequest, start_run: StartRun, tmp_path: Path, far: Path) -> Run:
    """A run on this host, and one over the network."""
    return start_run(run_dir=far if request.param == "tcp" else tmp_path / "r")


def test_large_arguments_and_results(run: Run) -> None:
    load = bytes(range(250)) * (LARGE // 250)
    assert run.call(len, load).result(timeout=60) == LARGE
    assert run.call(lambda size: b"x" * size, LARGE).result(timeout=60) == b"x" * LARGE
    assert run.call(tasks.echo, load).result(timeout=60) == load


@pytest.mark.linux
def test_removed_arguments_are_reported_as_gone(start_run: StartRun, tmp_path: Path) -> None:
    run = start_run(max_workers_per_node=1, retries=0)
    running = run.call(tasks.hold, f"{tmp_path}/started", f"{tmp_path}/release")
    queued = run.call(len, bytes(LARGE))
    [arguments] = Path(run.executor.engine.endpoints.spool).glob("t*")
    arguments.unlink()
    (tmp_path / "release").touch()
    assert running.result(timeout=60) > 0
    with pytest.raises(
        ManagerLost, match=r"attempt 1: The file in memory with the task's arguments is gone.*/dev/shm/parsl-"
    ):
        queued.result(timeout=60)


def test_many_large_payloads_at_once(run: Run) -> None:
    loads = [bytes([i]) * 3_000_000 for i in range(20)]
    futures = [run.send(tasks.echo, load) for load in loads]
    assert [future.result(timeout=60) for future in futures] == loads


@pytest.mark.parametrize("size", [32_700, 32_768, 32_800, 49_000, 49_152, 131_000, 131_072, 131_073, 262_144])
def test_sizes_around_the_limits(run: Run, size: int) -> None:
    load = b"\xc1" * size
    futures = [run.send(tasks.echo, load) for _ in range(3)]
    assert all(future.result(timeout=30) == load for future in futures)


def test_large_and_small_tasks_mixed(run: Run) -> None:
    run.warm_up()
    futures = [run.send(tasks.echo, b"x" * (200_000 if i % 7 == 0 else 10)) for i in range(300)]
    sizes = [len(future.result(timeout=60)) for future in futures]
    assert sizes == [200_000 if i % 7 == 0 else 10 for i in range(300)]


def test_buffers_arrive_unchanged(run: Run) -> None:
    import array

    numbers = array.array("d", range(100_000))
    assert run.call(tasks.echo, numbers).result(timeout=30) == numbers

    def change(view: Any) -> int:
        memoryview(view)[0] = 1
        return sum(bytes(view))

    buffer = pickle.PickleBuffer(bytearray(1_000_000))
    assert run.call(change, buffer).result(timeout=30) == 1


@pytest.mark.parametrize("size", [10, 33_000, 40_000, 80_000, 1_000_000])
def test_buffers_of_a_result_are_writable(run: Run, size: int) -> None:
    def make(size: int) -> Any:
        return pickle.PickleBuffer(bytearray(size))

    view = memoryview(run.call(make, size).result(timeout=30))
    assert not view.readonly
    view[0] = 7
    assert bytes(view[:2]) == b"\x07\x00"


def test_arrays_arrive_unchanged(run: Run) -> None:
    numpy = pytest.importorskip("numpy", reason="numpy is not installed")
    for array in (
        numpy.arange(1_000_000, dtype=float),
        numpy.arange(10_000).reshape(100, 100).T,
        numpy.arange(1_000_000)[::3],
        numpy.zeros((0, 3)),
        numpy.asfortranarray(numpy.ones((300, 400))),
    ):
        result = run.call(tasks.echo, array).result(timeout=30)
        assert (result == array).all()
        assert result.dtype == array.dtype
        result += 1  # the received buffer belongs to the user

    def change(array: Any) -> float:
        array[0] = 7
        return float(array.sum())

    original = numpy.zeros(1_000_000)
    assert run.call(change, original).result(timeout=30) == 7
    assert original.sum() == 0


def test_an_argument_that_cannot_be_pickled_is_named(run: Run) -> None:
    future = run.call(tasks.add, 1, b=(x for x in ()))
    with pytest.raises(SerializationError, match="'b'"):
        future.result(timeout=30)
    assert run.call(tasks.add, 1).result(timeout=30) == 1


def test_an_argument_that_cannot_be_unpickled_fails_only_its_task(run: Run) -> None:
    import os

    future = run.call(tasks.echo, Unloadable(os.getpid()))
    with pytest.raises(DeserializationError, match="far from home"):
        future.result(timeout=30)
    assert run.call(tasks.add, 1).result(timeout=30) == 1


def test_a_result_that_cannot_be_pickled_is_named(run: Run) -> None:
    with pytest.raises(SerializationError, match="generator"):
        run.call(lambda: (x for x in ())).result(timeout=30)
    assert run.call(tasks.add, 1).result(timeout=30) == 1


def test_a_result_that_cannot_be_unpickled_fails_only_its_task(run: Run) -> None:
    def make() -> Any:
        import os

        return Unloadable(os.getpid())

    with pytest.raises(DeserializationError, match="far from home"):
        run.call(make).result(timeout=30)
    assert run.call(tasks.add, 1).result(timeout=30) == 1


def test_an_exception_that_cannot_be_pickled_arrives_as_text(run: Run) -> None:
    def fail() -> None:

        error = ValueError("the reason")
        error.lock = threading.Lock()  # type: ignore[attr-defined]
        raise error

    with pytest.raises(Exception, match="the reason") as caught:
        run.call(fail).result(timeout=30)
    assert "ValueError" in f"{caught.type}{caught.value}"


def test_an_exception_that_cannot_be_unpickled_arrives_as_text(run: Run) -> None:
    def fail() -> None:
        class Demanding(Exception):
            def __init__(self, one: int, two: int) -> None:
                super().__init__("the reason")

        raise Demanding(1, 2)

    with pytest.raises(Exception, match="the reason") as caught:
        run.call(fail).result(timeout=30)
    assert "Demanding" in f"{caught.type}{caught.value}"


def test_exceptions_arrive_with_their_tracebacks(run: Run) -> None:
    import traceback

    def inner() -> None:
        raise KeyError("deep inside")

    def outer() -> None:
        inner()

    with pytest.raises(KeyError) as caught:
        run.call(outer).result(timeout=30)
    text = "".join(traceback.format_exception(caught.type, caught.value, caught.tb))
    assert "in inner" in text
    assert "in outer" in text


def test_large_exceptions_arrive(run: Run) -> None:
    def fail() -> None:
        raise ValueError("x" * 1_000_000)

    with pytest.raises(ValueError, match="xxx") as caught:
        run.call(fail).result(timeout=30)
    assert len(str(caught.value)) == 1_000_000


def test_base_exceptions_end_neither_the_worker_nor_the_caller(run: Run) -> None:
    def fail() -> None:
        raise KeyboardInterrupt("not by hand")

    pid = run.call(tasks.worker_pid)
    with pytest.raises(AppException, match=r"The task raised KeyboardInterrupt\('not by hand'\)") as caught:
        run.call(fail).result(timeout=30)
    assert isinstance(caught.value.__cause__, KeyboardInterrupt)
    assert pid.result(timeout=30) in {worker.pid for worker in run.workers()}


def test_functions_of_every_kind_travel(run: Run) -> None:
    import functools
    import operator

    class Local:
        def __init__(self, value: int) -> None:
            self.value = value

        def method(self, other: int) -> int:
            return self.value + other

        def __call__(self, other: int) -> int:
            return self.value * other

    assert run.send(len, "four").result(timeout=30) == 4
    assert run.send(operator.itemgetter(1), [1, 2]).result(timeout=30) == 2
    assert run.send(functools.partial(tasks.add, 1), 2).result(timeout=30) == 3
    assert run.send(Local(3).method, 4).result(timeout=30) == 7
    assert run.send(Local(3), 4).result(timeout=30) == 12
    state = [1]
    counted = lambda: len(state)  # noqa: E731
    assert run.send(counted).result(timeout=30) == 1
    state.append(2)
    assert run.send(lambda: len(state)).result(timeout=30) == 2


def test_tasks_do_not_share_objects_that_they_change(run: Run) -> None:
    def grow(found: list[int] = []) -> int:  # noqa: B006
        found.append(1)
        return len(found)

    argument = [0]
    assert run.call(lambda values: values.append(1), argument).result(timeout=30) is None
    assert argument == [0]
    assert run.call(grow).result(timeout=30) == 1
