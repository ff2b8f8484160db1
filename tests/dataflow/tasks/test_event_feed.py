"""The event log of a run: what the kernel and its executors contribute."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from errno import ENOSPC
from functools import partial
from typing import Any

import pytest

from parsl import ThreadPoolExecutor, bash_app, join_app, python_app
from parsl.config import Config
from parsl.data_provider.errors import CannotStage
from parsl.data_provider.files import File
from parsl.dataflow.dflow import DataFlowKernel
from parsl.dataflow.tasks import event_feed, event_writer
from parsl.eventlog import EVENT_LOG, records
from parsl.eventlog.file import EventFile, EventReader
from parsl.eventlog.history import Follower, RunHistory, read_history
from parsl.eventlog.watch import RunWatch
from parsl.executors.base import ParslExecutor
from parsl.executors.high_throughput.errors import WorkerLost
from parsl.failure_facts import attach
from parsl.vocabulary.run_facts import BlockFacts, ManagerFacts
from parsl.vocabulary.run_observer import pack_usage
from parsl.vocabulary.task_states import States
from tests.support.waiting import wait_until


class ByHand(ParslExecutor):
    """Its tasks end when a test ends them."""

    label = "by_hand"

    def __init__(self) -> None:
        super().__init__()
        self.futures: list[Any] = []

    def submit(self, func: Any, resource_specification: Any, *args: Any, **kwargs: Any) -> Future[Any]:
        self.futures.append(Future())
        return self.futures[-1]

    def shutdown(self) -> None:
        """Do nothing."""


@pytest.fixture
def kernel_of(tmp_path):
    kernels = []

    def make(**options: Any) -> DataFlowKernel:
        kernels.append(DataFlowKernel(Config(run_dir=str(tmp_path / "runinfo"), **options)))
        return kernels[-1]

    yield make
    for kernel in kernels:
        kernel.cleanup()


def history_of(kernel: DataFlowKernel) -> RunHistory:
    kernel.cleanup()
    return read_history(kernel.run_dir)


def double(x: int) -> int:
    return 2 * x


def fail(*args: Any) -> None:
    raise ValueError(f"no {args}")


def app(kernel: DataFlowKernel, function: Any, **options: Any) -> Any:
    return python_app(data_flow_kernel=kernel, **options)(function)


class Unprintable:
    """An argument of the user's that cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no text")


def test_files_without_a_path_and_objects_without_a_text_are_described(kernel_of, tmp_path):
    remote = File(f"zip:{tmp_path}/out.zip/member.txt")

    @python_app(data_flow_kernel=(kernel := kernel_of()))
    def write(inputs=(), outputs=()):
        with open(outputs[0], "w") as file:
            file.write("x")

    future = write(inputs=[Unprintable()], outputs=[remote])
    assert future.outputs[0].result(timeout=60) is remote
    extra = history_of(kernel).task(0).extra
    assert extra.inputs.startswith("[<Unprintable instance")
    assert extra.outputs == f"['{remote.url}']"


def test_inputs_that_are_no_files_are_shown_as_upstream_shows_them(kernel_of, tmp_path):
    @python_app(data_flow_kernel=(kernel := kernel_of()))
    def take(inputs=()):
        return "x" * 1000

    (tmp_path / "a").touch()
    first = take(inputs=[2, "a", 2.5, None, [1], File(str(tmp_path / "a"))])
    second = take(inputs=[first])
    assert len(second.result(timeout=60)) == 1000
    history = history_of(kernel)
    assert history.task(0).extra.inputs == f"[2, 'a', 2.5, None, [1], '{tmp_path}/a']"
    assert len(history.task(1).extra.inputs) < 300


def test_empty_inputs_and_outputs_are_shown_as_upstream_shows_them(kernel_of):
    kernel = kernel_of()

    def take(x, inputs=(), outputs=()):
        return x

    take_app = app(kernel, take)
    futures = [take_app(1), take_app(1, inputs=[], outputs=[]), app(kernel, double)(1)]
    for future in futures:
        future.result(timeout=60)
    known = history_of(kernel)
    extras = [known.extras.get(future.tid, records.TaskExtra()) for future in futures]
    assert [(extra.inputs, extra.outputs) for extra in extras] == [("()", "()"), ("[]", "[]"), ("", "")]


def test_the_description_of_futures_among_the_inputs_makes_no_tasks(kernel_of):
    @python_app(data_flow_kernel=(kernel := kernel_of()))
    def gather(inputs=()):
        return sum(inputs)

    parts = [app(kernel, double)(number) for number in range(3)]
    assert gather(inputs=parts).result(timeout=60) == 6
    history = history_of(kernel)
    assert kernel.task_count == 4
    assert history.state_counts()[States.exec_done] == 4


def test_the_run_is_described(kernel_of):
    kernel = kernel_of()
    history = history_of(kernel)
    run = history.run
    assert run is not None
    assert (run.run_id, run.run_dir, run.pid) == (kernel.run_id, kernel.run_dir, os.getpid())
    assert run.workflow_name == kernel.workflow_name
    assert run.host == os.uname().nodename
    assert history.end is not None
    assert history.end.states == {}


def test_each_task_is_there_with_its_app_executor_and_moments(kernel_of):
    kernel = kernel_of()
    futures = [app(kernel, double)(number) for number in range(50)]
    assert [future.result() for future in futures] == [2 * number for number in range(50)]
    history = history_of(kernel)
    assert history.state_counts()[States.exec_done] == 50
    for number in range(50):
        task = history.task(number)
        assert (task.app, task.state, task.executor) == ("double", "exec_done", "threads")
        assert task.launched_s is not None
        assert task.returned_s is not None
        assert task.invoked_s <= task.launched_s <= task.returned_s
    assert history.end is not None
    assert history.end.states == {"exec_done": 50}


def test_dependencies_and_their_failures_are_there(kernel_of):
    kernel = kernel_of()
    first = app(kernel, fail)()
    last = app(kernel, double)(first)
    assert last.exception() is not None
    history = history_of(kernel)
    assert history.task(1).depends == (0,)
    assert history.task(1).state == "dep_fail"
    failed, dependent = history.failures
    assert (failed.task, failed.outcome, failed.error, failed.message) == (
        0, "failed", "builtins.ValueError", "no ()",
    )  # fmt: skip
    assert (dependent.task, dependent.outcome, dependent.root_task) == (1, "dependency failed", 0)


def test_each_failed_attempt_is_there(kernel_of):
    kernel = kernel_of(retries=2)
    assert app(kernel, fail)().exception() is not None
    history = history_of(kernel)
    assert [(each.attempt, each.outcome) for each in history.failures] == [
        (0, "tried again"), (1, "tried again"), (2, "failed"),
    ]  # fmt: skip
    task = history.task(0)
    assert (task.attempt, task.extra.fail_count, task.extra.fail_cost) == (2, 3, 3.0)


def test_a_failed_attempt_has_what_its_worker_has_measured_or_its_error_knows(kernel_of):
    executor = ByHand()
    kernel = kernel_of(executors=[executor], retries=1)
    manager = ManagerFacts(5, "m5", "1", "x1", 42, 12, 104, 2**39, "3.11.7")
    executor.observer.manager_joined(executor.label, manager)
    future = app(kernel, double)(1)
    executor.futures[0].attempt_usage = pack_usage(0.5, 0.25, 1000, 5, 3)
    executor.futures[0].set_exception(ValueError("no"))
    lost = RuntimeError("lost")
    attach(lost, manager="m5", worker=0, host="x1", peak_memory=2000)
    executor.futures[1].set_exception(lost)
    assert future.exception() is lost
    history = history_of(kernel)
    used = [(f.run_s, f.cpu_s, f.peak_memory, f.manager, f.worker) for f in history.failures]
    assert used == [(0.5, 0.25, 1000, 5, 3), (-1.0, -1.0, 2000, 5, 0)]
    task = history.task(0)
    assert (task.host, task.worker, task.peak_memory, task.cpu_s) == ("x1", 0, 2000, None)


def test_the_last_of_too_many_lost_workers_is_in_the_row_of_its_task(kernel_of):
    executor = ByHand()
    kernel = kernel_of(executors=[executor], retries=9)
    future = app(kernel, double)(1)
    for number in range(3):
        lost = WorkerLost(number, "x1", "lost", peak_memory=3000)
        attach(lost, worker=number, peak_memory=3000)
        executor.futures[number].set_exception(lost)
    assert "not retried" in str(future.exception())
    assert (history_of(kernel).task(0).worker, history_of(kernel).task(0).peak_memory) == (2, 3000)


def test_what_few_tasks_have_is_there(kernel_of, tmp_path):
    kernel = kernel_of()

    def echo(stdout: Any = None) -> str:
        return "echo hello"

    def both() -> Any:
        return [app(kernel, double)(1), app(kernel, double)(2)]

    bash_app(data_flow_kernel=kernel)(echo)(stdout=str(tmp_path / "out"), label="a label").result()
    join_app(data_flow_kernel=kernel)(both)().result()
    cached = app(kernel, double, cache=True)
    assert [cached(1).result(), cached(1).result()] == [2, 2]
    history = history_of(kernel)
    extra = history.task(0).extra
    assert (extra.stdout, extra.label) == (str(tmp_path / "out"), "a label")
    assert history.task(1).extra.joins == [2, 3]
    assert (history.task(4).state, history.task(5).state) == ("exec_done", "memo_done")
    assert history.task(5).extra.hashsum == history.task(4).extra.hashsum != ""


def test_a_live_run_can_be_followed(kernel_of):
    executor = ByHand()
    kernel = kernel_of(executors=[executor])
    futures = [app(kernel, double)(1)]
    futures.append(app(kernel, double)(futures[0]))
    wait_until(lambda: os.path.exists(os.path.join(kernel.run_dir, EVENT_LOG)))
    with Follower(kernel.run_dir) as follower:

        def is_seen(*states: str) -> bool:
            follower.advance()
            history = follower.history
            try:
                return tuple(history.task(number).state for number in range(len(states))) == states
            except KeyError:
                return False

        wait_until(lambda: is_seen("launched", "pending"))
        assert follower.is_running()
        executor.observer.tasks_started(executor.label, [(executor.futures[0], 123.0, 3, 4)])
        assert futures[0].task_status() == "running"
        wait_until(lambda: is_seen("running", "pending"))
        executor.futures[0].attempt_usage = pack_usage(0.25, 0.125, 1000, 3, 4)
        executor.futures[0].set_result(2)
        wait_until(lambda: is_seen("exec_done", "launched"))
        task = follower.history.task(0)
        assert (task.cpu_s, task.peak_memory, task.worker) == (0.125, 1000, 4)
        executor.futures[1].set_result(2)
        kernel.cleanup()
        assert is_seen("exec_done", "exec_done")
        assert follower.is_running() is False


def test_a_start_that_is_reported_before_the_first_row_is_known(kernel_of):
    executor = ByHand()
    kernel = kernel_of(executors=[executor])
    future = app(kernel, double)(1)
    started_s = time.time() + 1
    for moment_s in (started_s, started_s + 1):  # the first report is the most exact
        executor.observer.tasks_started(executor.label, [(executor.futures[0], moment_s, 3, 4)])
    wait_until(lambda: os.path.exists(os.path.join(kernel.run_dir, EVENT_LOG)))
    with Follower(kernel.run_dir) as follower:

        def is_seen() -> bool:
            follower.advance()
            return len(follower.history.tasks) > 0

        wait_until(is_seen)
        task = follower.history.task(0)
        assert (task.state, task.started_s, task.worker) == ("running", started_s, 4)
        assert follower.history.state_counts()[States.running] == 1
    executor.futures[0].set_result(2)
    assert future.result() == 2


def test_a_start_that_is_reported_too_late_changes_nothing(kernel_of):
    executor = ByHand()
    kernel = kernel_of(executors=[executor])
    future = app(kernel, double)(1)
    executor.futures[0].set_result(2)
    executor.observer.tasks_started(executor.label, [(executor.futures[0], 123.0, 3, 4)])
    assert future.result() == 2
    assert history_of(kernel).task(0).state == "exec_done"


def test_what_executors_notice_is_there(kernel_of):
    executor = ByHand()
    kernel = kernel_of(executors=[executor])
    observer, label = executor.observer, executor.label
    observer.manager_joined(
        label, ManagerFacts(0, "m0", "1", "x1", 42, 12, 104, 2**39, "3.11.7", ("0.0", "0.1"))
    )
    observer.block_changed(label, BlockFacts("1", None, "PENDING", "no node is free", 5.0))
    observer.block_changed(label, BlockFacts("1", "4711", "RUNNING", "", 6.0))
    observer.node_changed(label, "x1", "quarantined")
    observer.manager_gone(label, 0, "its job has ended")
    history = history_of(kernel)
    view = history.managers[0, 0]
    assert (view.facts.name, view.facts.workers, view.facts.accelerators) == ("m0", 12, ["0.0", "0.1"])
    assert view.reason == "its job has ended"
    assert [(each.job, each.state, each.reason) for each in history.blocks[0, "1"]] == [
        ("", "PENDING", "no node is free"), ("4711", "RUNNING", ""),
    ]  # fmt: skip
    assert [node.text for node in history.nodes] == ["quarantined"]
    assert history.executors[0].kind == "ByHand"


def test_tasks_that_the_end_of_the_run_fails_are_counted_not_listed(kernel_of):
    kernel = kernel_of(executors=[ByHand()])
    for _ in range(10):
        app(kernel, double)(1)
    history = history_of(kernel)
    assert history.state_counts()[States.failed] == 10
    assert history.failures == []


@pytest.mark.parametrize("options", [{"event_log": False}, {"initialize_logging": False}])
def test_there_is_no_log_if_none_is_requested(kernel_of, options):
    kernel = kernel_of(**options)
    assert app(kernel, double)(1).result() == 2
    kernel.cleanup()
    assert not os.path.exists(os.path.join(kernel.run_dir, EVENT_LOG))


def test_a_second_run_in_the_same_directory_keeps_the_first_ones_log(tmp_path, monkeypatch):
    monkeypatch.setattr("parsl.dataflow.dflow.make_rundir", lambda _: str(tmp_path / "same"))
    identifiers = []
    for _ in range(3):
        kernel = DataFlowKernel(Config())
        identifiers.append(kernel.run_id)
        kernel.cleanup()
    names = [f"{EVENT_LOG}.1", f"{EVENT_LOG}.2", EVENT_LOG]
    found = []
    for name in names:
        history = read_history(tmp_path / "same" / name)
        assert history.run is not None
        found.append(history.run.run_id)
    assert found == identifiers


def test_a_full_disk_costs_events_but_no_task(kernel_of, monkeypatch, caplog):
    monkeypatch.setattr(EventFile, "_append", lambda self, data: OSError(28, "No space left on device"))
    kernel = kernel_of()
    assert [app(kernel, double)(number).result() for number in range(5)] == [0, 2, 4, 6, 8]
    kernel.cleanup()
    assert caplog.text.count("cannot be written: [Errno 28] No space left on device") == 1
    assert not os.path.exists(os.path.join(kernel.run_dir, EVENT_LOG))


def test_names_that_a_full_disk_has_refused_are_written_later(kernel_of, monkeypatch):
    real_append = EventFile._append
    refused: list[int] = []

    def refuse_names_once(self: EventFile, pieces: Sequence[bytes]) -> OSError | None:
        if b"double" in b"".join(pieces) and not refused:
            refused.append(len(pieces))
            return OSError(28, "No space left on device")
        return real_append(self, pieces)

    monkeypatch.setattr(EventFile, "_append", refuse_names_once)
    kernel = kernel_of()
    doubled = app(kernel, double)
    doubled(1).result()
    wait_until(lambda: refused)
    doubled(2).result()
    history = history_of(kernel)
    assert history.apps == ["double"]


def test_a_run_without_tasks_leaves_no_thread(kernel_of):
    before = threading.active_count()
    kernel = kernel_of()
    kernel.cleanup()
    wait_until(lambda: threading.active_count() <= before)


def test_many_tasks_take_many_records(kernel_of):
    kernel = kernel_of(executors=[ThreadPoolExecutor(max_threads=4)])
    doubled = app(kernel, double)
    futures = [doubled(number) for number in range(5000)]
    assert sum(future.result() for future in futures) == 5000 * 4999
    history = history_of(kernel)
    assert history.state_counts()[States.exec_done] == 5000
    with EventReader(kernel.run_dir) as reader:
        sizes = [len(record.rows) for record in reader.read() if isinstance(record, records.Tasks)]
        assert max(sizes) < 5000
        assert reader.damaged_bytes == reader.unknown_records == 0


class Odd:
    """A callable whose name is no text."""

    def __init__(self, name: object) -> None:
        self.__name__ = name

    def __call__(self, x: int) -> int:
        return x


class Nameless:
    """A name that has no text either."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __hash__ = __str__


@pytest.mark.parametrize(("name", "shown"), [(17, "17"), (["a"], "['a']"), (Nameless(), "Odd")])
def test_an_app_whose_name_is_no_text_costs_no_other(kernel_of, name, shown):
    kernel = kernel_of()
    doubled = app(kernel, double)
    assert doubled(1).result() == 2
    wait_until(lambda: os.path.exists(os.path.join(kernel.run_dir, EVENT_LOG)))
    futures = [doubled(1), kernel.submit(Odd(name), (1,), "all", False, None, {}), doubled(1)]
    assert [future.result() for future in futures] == [2, 1, 2]
    history = history_of(kernel)
    assert [history.task(number).app for number in range(4)] == ["double", "double", shown, "double"]


def test_a_fact_that_cannot_be_encoded_is_a_gap_and_costs_no_other(kernel_of):
    kernel = kernel_of(executors=[executor := ByHand()])
    for text in ("set aside", object(), "trusted again"):
        executor.observer.node_changed("by_hand", "node", text)
    history = history_of(kernel)
    assert [node.text for node in history.nodes] == ["set aside", "trusted again"]
    assert [gap.records for gap in history.gaps] == [1]


def test_facts_that_wait_too_long_are_a_gap_with_their_number(kernel_of, monkeypatch):
    monkeypatch.setattr(event_feed, "_MAX_WAITING", 100)
    kernel = kernel_of(executors=[executor := ByHand()])
    for number in range(130):
        executor.observer.node_changed("by_hand", "node", str(number))
    history = history_of(kernel)
    assert len(history.nodes) + sum(gap.records for gap in history.gaps) == 130
    assert len(history.gaps) >= 1


def write_to(stdout: str) -> str:
    return stdout


def test_a_row_that_cannot_be_encoded_costs_no_other_row(kernel_of):
    kernel = kernel_of()
    write = app(kernel, write_to)
    paths = ["a", "\udcff", "b"]  # as os.fsdecode() returns a name that is not UTF-8
    assert [write(stdout=path).result() for path in paths] == paths
    wait_until(lambda: os.path.exists(os.path.join(kernel.run_dir, EVENT_LOG)))
    with Follower(kernel.run_dir) as follower:

        def are_written() -> bool:
            follower.advance()
            return follower.history.state_counts()[States.exec_done] >= 2

        wait_until(are_written)
    assert [write(stdout=path).result() for path in paths] == paths  # from now on they are encoded at once
    kernel.cleanup()
    with EventReader(kernel.run_dir) as reader:
        read = list(reader.read())
    rows = [row for record in read if isinstance(record, records.Tasks) for row in record.rows]
    assert {row.id for row in rows if row.state == States.exec_done} == {0, 2, 3, 5}
    assert sum(record.records for record in read if isinstance(record, records.Gap)) == 2
    summary = [record for record in read if isinstance(record, records.Summary)][-1]
    assert sum(number for *_, number in summary.ended) == 6


class Unreadable(Exception):
    """An exception whose text cannot be made."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_an_exception_that_cannot_be_described_fails_its_task_nevertheless(kernel_of):
    def fail_unreadably() -> None:
        raise Unreadable

    kernel = kernel_of()
    assert isinstance(app(kernel, fail_unreadably)().exception(), Unreadable)
    assert history_of(kernel).task(0).state == "failed"


def test_a_cost_of_any_type_of_number_is_recorded(kernel_of):
    from fractions import Fraction

    kernel = kernel_of(retries=1, retry_handler=lambda error, record: Fraction(3, 4))
    assert app(kernel, fail)().exception() is not None
    assert history_of(kernel).task(0).extra.fail_cost == 1.5


def test_names_that_are_not_utf8_cost_nothing(kernel_of, monkeypatch):
    monkeypatch.setattr(sys, "orig_argv", ["python", "\udcff.py"])
    kernel = kernel_of()

    def odd(x: int) -> int:
        return x

    odd.__name__ = "odd\udc80"
    futures = [app(kernel, double)(1), app(kernel, odd)(2), app(kernel, double)(3)]
    assert [future.result() for future in futures] == [2, 2, 6]
    history = history_of(kernel)
    assert history.run.command == ["python", "?.py"]
    assert [history.task(number).app for number in range(3)] == ["double", "odd?", "double"]
    assert history.gaps == []


def test_a_call_that_is_refused_has_no_record_and_leaves_no_problem(kernel_of):
    kernel = kernel_of()
    refused = python_app(data_flow_kernel=kernel)(lambda inputs=(): None)
    with pytest.raises(CannotStage):
        refused(inputs=[File("nosuch://a/b")])
    assert app(kernel, double)(1).result() == 2
    kernel.cleanup()
    with RunWatch(kernel.run_dir) as watch:
        watch.read_to_end()
        assert watch.problems() == []


def interrupt(*args: Any) -> None:
    raise KeyboardInterrupt


def test_an_interrupt_while_the_log_encodes_leaves_no_task_undone(kernel_of, monkeypatch):
    monkeypatch.setattr(event_feed.EventFeed, "encode", interrupt)
    executor = ByHand()
    future = app(kernel_of(executors=[executor]), double)(2)
    with pytest.raises(KeyboardInterrupt):
        executor.futures[0].set_result(4)
    assert future.result(timeout=0) == 4


def test_a_thread_that_cannot_start_costs_no_task(kernel_of, monkeypatch, caplog):
    def refuse(feed: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(event_feed.EventFeed, "_start", refuse)
    kernel = kernel_of()
    assert [app(kernel, double)(number).result(timeout=60) for number in range(3)] == [0, 2, 4]
    assert caplog.text.count("will be written at the end of the run") == 1
    assert history_of(kernel).state_counts()[States.exec_done] == 3


def test_a_future_whose_attributes_raise_costs_no_task_but_its_row(kernel_of):
    class Odd(Future):  # type: ignore[type-arg]
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(name)

    class WithOddFutures(ByHand):
        def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
            self.futures.append(Odd())
            return self.futures[-1]

    executor = WithOddFutures()
    kernel = kernel_of(executors=[executor])
    future = app(kernel, double)(2)
    executor.futures[0].set_result(4)
    assert future.result(timeout=60) == 4
    kernel.cleanup()
    with EventReader(kernel.run_dir) as reader:
        assert sum(record.records for record in reader.read() if isinstance(record, records.Gap)) == 1


def test_tasks_of_several_apps_and_executors_that_are_encoded_together_keep_their_names(kernel_of):
    labels = "a", "b"
    kernel = kernel_of(executors=[ThreadPoolExecutor(label=label, max_threads=1) for label in labels])
    apps = [app(kernel, function, executors=[label]) for function in (double, len) for label in labels]
    expected = []
    for number in range(600):
        chosen = number // 300 * (number % 4)  # one for a while, and then all in turns
        apps[chosen]([1])
        expected.append((("double", "len")[chosen // 2], labels[chosen % 2]))
    kernel.wait_for_current_tasks()
    history = history_of(kernel)
    assert [(history.task(number).app, history.task(number).executor) for number in range(600)] == expected


@pytest.mark.parametrize(
    "usage", [None, b"", b"short", "x" * 32, 32, pack_usage(1.0, 1.0, 1, 1, 1) + b"more"]
)
def test_a_task_of_whose_usage_nothing_can_be_read_has_its_row(kernel_of, usage):
    executor = ByHand()
    kernel = kernel_of(executors=[executor])
    future = app(kernel, double)(2)
    executor.futures[0].attempt_usage = usage
    executor.futures[0].set_result(4)
    assert future.result(timeout=60) == 4
    task = history_of(kernel).task(0)
    assert (task.state, task.cpu_s, task.peak_memory, task.worker) == ("exec_done", None, None, None)


def test_each_end_is_written_soon_whether_the_log_sleeps_or_not(kernel_of, monkeypatch):
    monkeypatch.setattr(event_feed, "FLUSH_S", 0.002)
    executor = ByHand()
    kernel = kernel_of(executors=[executor])
    for _ in range(20):
        app(kernel, double)(1)
    wait_until(lambda: os.path.exists(os.path.join(kernel.run_dir, EVENT_LOG)))
    with Follower(kernel.run_dir) as follower:

        def are_done(number: int) -> bool:
            follower.advance()
            return follower.history.state_counts()[States.exec_done] == number

        for number, future in enumerate(executor.futures):
            future.attempt_usage = pack_usage(0.5, 0.25, 1000, 5, 3)
            future.set_result(2)
            wait_until(partial(are_done, number + 1))


def test_a_log_that_could_not_be_created_is_written_when_the_next_task_ends(kernel_of, monkeypatch):
    tried = []
    create = event_writer._create

    def refuse(path: str) -> EventFile:
        tried.append(path)
        raise OSError(ENOSPC, os.strerror(ENOSPC))

    monkeypatch.setattr(event_feed, "FLUSH_S", 0.002)
    monkeypatch.setattr(event_writer, "_create", refuse)
    executor = ByHand()
    kernel = kernel_of(executors=[executor])
    for _ in range(2):
        app(kernel, double)(1)
    for future in executor.futures:
        future.attempt_usage = pack_usage(0.5, 0.25, 1000, 5, 3)
    wait_until(lambda: tried)
    number = len(tried)
    executor.futures[0].set_result(2)
    wait_until(lambda: len(tried) > number)
    monkeypatch.setattr(event_writer, "_create", create)
    executor.futures[1].set_result(2)
    wait_until(lambda: os.path.exists(os.path.join(kernel.run_dir, EVENT_LOG)))
    assert history_of(kernel).state_counts()[States.exec_done] == 2
