"""The base of executors whose tasks run in another engine, with an engine of this module."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from parsl.errors import ConfigurationError, OptionalModuleMissing
from parsl.executors.engines.errors import EngineMismatch, EngineTaskError, EngineUnreachable, import_engine
from parsl.executors.engines.executor import EngineExecutor, EngineTask
from parsl.executors.engines.remote_call import run_call
from parsl.executors.engines.requests import Node, Request
from parsl.executors.errors import BadStateException, ExecutorError, InvalidResourceSpecification
from parsl.executors.high_throughput.errors import WorkerLost
from parsl.vocabulary.run_observer import usage_of


class FakeEngine(EngineExecutor):
    """Keeps calls until a test runs them."""

    engine = "Fake"
    request_keys = frozenset({"cores", "priority"})
    label = "fake"

    def __init__(self) -> None:
        super().__init__()
        self.held: list[tuple[EngineTask, bytes, Request]] = []
        self.has_cores = 4
        self.disconnected = 0
        self.refuses_cancel = False
        self.connect_raises: Exception | None = None

    def connect(self) -> None:
        if self.connect_raises is not None:
            raise self.connect_raises

    def start_task(self, task: EngineTask, call: Any, request: Request) -> None:
        self.held.append((task, call, request))

    def cancel_task(self, task: EngineTask) -> bool:
        return not self.refuses_cancel

    def disconnect(self) -> None:
        self.disconnected += 1

    def nodes(self) -> Iterable[Node]:
        return [Node(cores=self.has_cores)]

    def run_all(self) -> None:
        for task, call, _ in self.held:
            self.task_done(task, run_call(call))
        self.held.clear()


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    executor = FakeEngine()
    executor.start()
    yield executor
    executor.shutdown()


def interrupted() -> None:
    raise SystemExit(15)


def test_a_task_ends_with_its_outcome(engine: FakeEngine) -> None:
    good, bad = engine.submit(pow, {}, 2, 3), engine.submit(pow, {}, 2, "x")
    assert engine.outstanding() == 2
    engine.run_all()
    assert good.result(0) == 8
    assert isinstance(bad.exception(0), TypeError)
    assert engine.outstanding() == 0
    assert usage_of(good) is not None


def test_a_request_reaches_the_engine(engine: FakeEngine) -> None:
    engine.submit(abs, {"cores": 2, "priority": 1}, -1)
    assert engine.held[0][2] == Request(cores=2, priority=1)


def test_a_request_that_no_node_satisfies_is_refused_at_once(engine: FakeEngine) -> None:
    with pytest.raises(
        InvalidResourceSpecification, match=r"16 cores, and there are 4.*wait for ever"
    ) as caught:
        engine.submit(abs, {"cores": 16, "priority": 2}, -1)
    assert caught.value.invalid_keys == {"cores"}
    assert engine.outstanding() == 0


def test_an_error_of_the_engine_differs_from_one_of_the_task(engine: FakeEngine) -> None:
    task = engine.submit(abs, {}, -1)
    engine.task_failed(task, OSError("the disk is full"))
    error = task.exception(0)
    assert isinstance(error, EngineTaskError)
    assert "Fake has failed the task with OSError: the disk is full" in str(error)
    assert isinstance(error.__cause__, OSError)


def test_a_loss_stays_what_it_is(engine: FakeEngine) -> None:
    task, loss = engine.submit(abs, {}, -1), WorkerLost(1, "n1")
    engine.task_failed(task, loss)
    assert task.exception(0) is loss


def test_a_worker_without_parsl_is_named(engine: FakeEngine) -> None:
    task = engine.submit(abs, {}, -1)
    engine.task_failed(task, ModuleNotFoundError("No module named 'parsl'", name="parsl"))
    error = task.exception(0)
    assert isinstance(error, EngineMismatch)
    assert "pip install PATH" in str(error)


def test_a_cancelled_task_ignores_its_outcome(engine: FakeEngine) -> None:
    task = engine.submit(abs, {}, -1)
    assert task.cancel()
    engine.run_all()
    assert task.cancelled()
    assert task.cancel()


def test_the_loss_of_the_worker_of_a_task_that_is_cancelled_is_its_cancellation(engine: FakeEngine) -> None:
    task = engine.submit(abs, {}, -1)

    def end_worker(task: EngineTask) -> bool:
        engine.task_failed(task, WorkerLost(1, "n1"))
        return True

    engine.cancel_task = end_worker  # type: ignore[method-assign]
    assert task.cancel()
    assert task.cancelled()


def test_a_call_that_is_interrupted_to_cancel_it_is_cancelled(engine: FakeEngine) -> None:
    task = engine.submit(interrupted, {})

    def interrupt(task: EngineTask) -> bool:
        engine.run_all()
        return True

    engine.cancel_task = interrupt  # type: ignore[method-assign]
    assert task.cancel()
    assert task.cancelled()


def test_a_call_that_fails_while_the_engine_refuses_to_cancel_it_has_failed(engine: FakeEngine) -> None:
    task = engine.submit(pow, {}, 2, "x")

    def refuse(task: EngineTask) -> bool:
        engine.run_all()
        return False

    engine.cancel_task = refuse  # type: ignore[method-assign]
    assert not task.cancel()
    assert isinstance(task.exception(0), TypeError)


def test_an_engine_may_refuse_to_cancel(engine: FakeEngine) -> None:
    engine.refuses_cancel = True
    task = engine.submit(abs, {}, -1)
    assert not task.cancel()
    engine.run_all()
    assert task.result(0) == 1
    assert not task.cancel()


def test_the_loss_of_the_engine_fails_present_and_later_tasks(engine: FakeEngine) -> None:
    task = engine.submit(abs, {}, -1)
    engine.set_bad_state_and_fail_all(OSError("the scheduler has died"))
    assert isinstance(task.exception(0), BadStateException)
    with pytest.raises(BadStateException, match="the scheduler has died"):
        engine.submit(abs, {}, -1)


def test_a_shutdown_ends_every_future_and_refuses_tasks() -> None:
    executor = FakeEngine()
    executor.start()
    executor.refuses_cancel = True
    task = executor.submit(abs, {}, -1)
    executor.shutdown()
    executor.shutdown()
    assert executor.disconnected == 1
    assert isinstance(task.exception(0), ExecutorError)
    with pytest.raises(RuntimeError, match="was shut down"):
        executor.submit(abs, {}, -1)


def test_before_the_start_tasks_are_refused() -> None:
    with pytest.raises(ExecutorError, match="was not started"):
        FakeEngine().submit(abs, {}, -1)


def test_an_engine_that_does_not_answer_is_not_disconnected() -> None:
    executor = FakeEngine()
    executor.connect_raises = EngineUnreachable(executor, "nothing answers at tcp://nowhere:1")
    with pytest.raises(EngineUnreachable, match="nothing answers"):
        executor.start()
    executor.shutdown()
    assert executor.disconnected == 0


def test_a_new_run_begins_without_tasks(engine: FakeEngine) -> None:
    with pytest.raises(ConfigurationError, match="in use"):
        engine.prepare_restart()
    engine.submit(abs, {}, -1)
    engine.shutdown()
    engine.prepare_restart()
    engine.start()
    assert engine.outstanding() == 0
    task = engine.submit(abs, {}, -2)
    engine.run_all()
    assert task.result(0) == 2


def test_a_missing_package_is_named_with_the_line_to_type() -> None:
    with pytest.raises(OptionalModuleMissing, match=r"no_such_engine.*Install it: pip install 'parsl\[x\]'"):
        import_engine("no_such_engine", "XExecutor", "pip install 'parsl[x]'")
