"""The environment of a task on its worker: variables, CPUs, accelerator, modules and process name."""

from __future__ import annotations

import os
import platform
import sys
from typing import TYPE_CHECKING, Any

import pytest

import parsl
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import LocalProvider, SlurmProvider
from parsl.validate import ParameterError
from tests.system import run as runs
from tests.system import tasks

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import WaitUntil
    from tests.system.fixtures import StartRun


def on_each_worker(
    run: runs.Run, tmp_path: Path, wait_until: WaitUntil, count: int, function: Any, *args: Any
) -> list[Any]:
    """Call a function once on each of `count` workers; return the results in the order of their ranks."""

    def call_and_meet(function: Any, args: Any, meeting: str, count: int) -> Any:
        import os
        import time

        rank = int(os.environ["PARSL_WORKER_RANK"])
        open(f"{meeting}/{rank}", "w").close()
        while len(os.listdir(meeting)) < count:
            time.sleep(0.005)
        return rank, function(*args)

    meeting = tmp_path / "meeting"
    meeting.mkdir()
    futures = [run.send(call_and_meet, function, args, str(meeting), count) for _ in range(count)]
    found = dict(future.result(timeout=30) for future in futures)
    assert sorted(found) == list(range(count))
    return [found[rank] for rank in range(count)]


def test_workers_know_their_rank_block_and_pool(
    start_run: StartRun, tmp_path: Path, wait_until: WaitUntil
) -> None:
    run = start_run(max_workers_per_node=3)
    names = ["RANK", "COUNT", "POOL_ID", "BLOCK_ID"]
    found = on_each_worker(
        run, tmp_path, wait_until, 3, tasks.environment, *(f"PARSL_WORKER_{name}" for name in names)
    )
    [manager] = run.executor.connected_managers()
    for rank, values in enumerate(found):
        assert values == {
            "PARSL_WORKER_RANK": str(rank),
            "PARSL_WORKER_COUNT": "3",
            "PARSL_WORKER_POOL_ID": manager["manager"],
            "PARSL_WORKER_BLOCK_ID": "0",
        }


def test_the_number_of_cores_can_be_configured(start_run: StartRun) -> None:
    provider = LocalProvider(worker_init="export PARSL_CORES=6")
    run = start_run(provider=provider, max_workers_per_node=None, cores_per_worker=2)
    run.warm_up()
    assert [manager["worker_count"] for manager in run.executor.connected_managers()] == [3]
    assert run.executor.workers_per_node == 3


@pytest.mark.parametrize(
    ("parameters", "provider", "count"),
    [
        ({"max_workers_per_node": 2}, LocalProvider(init_blocks=0), min(2, len(os.sched_getaffinity(0)))),
        ({}, LocalProvider(init_blocks=0), len(os.sched_getaffinity(0))),
        ({"max_workers_per_node": 9}, SlurmProvider(init_blocks=0), 9),
        ({"cores_per_worker": 8}, SlurmProvider(init_blocks=0, cores_per_node=64), 8),
        ({}, SlurmProvider(init_blocks=0), None),
    ],
)
def test_the_number_of_workers_is_known_after_loading_if_parameters_determine_it(
    tmp_path: Path, parameters: dict[str, Any], provider: Any, count: int | None
) -> None:
    executor = HighThroughputExecutor(provider=provider, **parameters)
    assert executor.workers_per_node is None
    with parsl.load(Config(executors=[executor], run_dir=str(tmp_path))):
        assert executor.workers_per_node == count
        assert executor.workers_per_block == count


@pytest.mark.linux
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one CPU only")
def test_workers_are_bound_to_cpus(start_run: StartRun, tmp_path: Path, wait_until: WaitUntil) -> None:
    first, second, *_ = sorted(os.sched_getaffinity(0))
    run = start_run(cpu_affinity=f"list:{second}:{first}")
    assert on_each_worker(run, tmp_path, wait_until, 2, tasks.cpus) == [[second], [first]]


@pytest.mark.linux
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one CPU only")
def test_cpus_can_be_assigned_in_blocks(start_run: StartRun, tmp_path: Path, wait_until: WaitUntil) -> None:
    run = start_run(cpu_affinity="block")
    found = on_each_worker(run, tmp_path, wait_until, 2, tasks.cpus)
    assert set(found[0]).isdisjoint(found[1])


@pytest.mark.linux
def test_missing_cpus_are_left_out_with_a_warning(start_run: StartRun, tmp_path: Path) -> None:
    cpu = min(os.sched_getaffinity(0))
    run = start_run(cpu_affinity=f"list:{cpu},4001:{cpu},4002")
    assert run.send(tasks.cpus).result(timeout=30) == [cpu]
    [stderr] = (tmp_path / "r").glob("000/htex/submit_scripts/*.stderr")
    assert "4001" in stderr.read_text()


def test_each_worker_sees_its_own_accelerator(
    start_run: StartRun, tmp_path: Path, wait_until: WaitUntil
) -> None:
    run = start_run(available_accelerators=["0.0", "0.1", "1.0"], max_workers_per_node=3)
    names = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK")
    found = on_each_worker(run, tmp_path, wait_until, 3, tasks.environment, *names)
    assert found == [dict.fromkeys(names, tile) for tile in ("0.0", "0.1", "1.0")]


def test_there_are_no_more_workers_than_accelerators(start_run: StartRun) -> None:
    run = start_run(available_accelerators=2, max_workers_per_node=4)
    run.warm_up()
    assert run.executor.connected_managers()[0]["worker_count"] == 2


def test_a_replaced_worker_gets_the_same_place(start_run: StartRun, tmp_path: Path) -> None:
    run = start_run(available_accelerators=["a", "b"], max_workers_per_node=1)
    assert run.send(tasks.leave_at_once, 1).exception(timeout=30) is not None
    assert run.send(tasks.environment, "ZE_AFFINITY_MASK").result(timeout=30) == {"ZE_AFFINITY_MASK": "a"}


def test_workers_can_import_what_the_driver_imports(
    start_run: StartRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_here.py").write_text("def answer():\n    return 42\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import only_here  # type: ignore[import-not-found]

    run = start_run()
    assert run.send(only_here.answer).result(timeout=30) == 42
    path = run.send(lambda: __import__("sys").path).result(timeout=30)
    assert [entry for entry in map(os.path.abspath, sys.path) if entry not in path] == []


def test_the_job_script_sets_up_workers(start_run: StartRun) -> None:
    run = start_run(provider=LocalProvider(worker_init="export COLOUR='light blue'"))
    assert run.send(tasks.environment, "COLOUR").result(timeout=30) == {"COLOUR": "light blue"}


def test_processes_are_named_for_their_roles(start_run: StartRun, wait_until: WaitUntil) -> None:
    pytest.importorskip("setproctitle")
    run = start_run()
    run.warm_up()
    for title in (runs.INTERCHANGE, runs.MANAGER, runs.FORK_SERVER):
        assert " ".join(run.only(title).cmdline()).strip() == title
    wait_until(lambda: len(run.workers()) == 2)
    assert {" ".join(worker.cmdline()).strip() for worker in run.workers()} == {
        f"{runs.WORKER} 0",
        f"{runs.WORKER} 1",
    }


def test_tasks_can_start_threads_processes_and_pools(start_run: StartRun) -> None:
    run = start_run()

    def with_a_pool() -> list[int]:
        from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

        with ThreadPoolExecutor(2) as threads, ProcessPoolExecutor(2) as processes:
            return [*threads.map(abs, (-1, -2)), *processes.map(abs, (-3, -4))]

    assert run.send(with_a_pool).result(timeout=30) == [1, 2, 3, 4]


def test_the_output_of_a_task_is_kept(start_run: StartRun, tmp_path: Path, wait_until: WaitUntil) -> None:
    run = start_run()
    run.send(print, "printed by a task").result(timeout=30)
    run.close()
    [stdout] = (tmp_path / "r").glob("000/htex/submit_scripts/*.stdout")
    assert "printed by a task" in stdout.read_text()


def test_requests_about_managers_are_answered(start_run: StartRun, wait_until: WaitUntil) -> None:
    from parsl.version import VERSION

    run = start_run(provider=LocalProvider(init_blocks=2, max_blocks=2))
    wait_until(lambda: len(run.executor.connected_managers()) == 2)
    assert run.executor.connected_blocks() == ["0", "1"]
    manager = run.executor.connected_managers()[0]
    assert manager["hostname"] == platform.node()
    assert (manager["worker_count"], manager["tasks"]) == (2, 0)
    assert (manager["active"], manager["draining"]) == (True, False)
    assert (manager["parsl_version"], manager["python_version"]) == (VERSION, platform.python_version())
    assert manager["idle_duration"] >= 0
    packages = run.executor.connected_managers_packages()
    assert sorted(packages) == sorted(found["manager"] for found in run.executor.connected_managers())
    assert all("psutil" in versions for versions in packages.values())


def test_the_number_of_tasks_can_be_read(start_run: StartRun) -> None:
    executor = HighThroughputExecutor()
    assert executor._task_counter == 0
    run = start_run()
    for number in (1, 2, 3):
        run.send(tasks.add, 1).result(timeout=30)
        assert run.executor._task_counter == number


def test_a_task_can_be_submitted_as_bytes(start_run: StartRun) -> None:
    from parsl.serialize import pack_apply_message

    run = start_run()
    payload = pack_apply_message(tasks.add, (1,), {"b": 2})
    assert run.executor.submit_payload({}, payload).result(timeout=30) == 3
    urgent = run.executor.submit_payload({"resource_spec": {"priority": 1}}, payload)
    assert urgent.result(timeout=30) == 3


class TestPayloadsWithAFunction:
    """Context and result are those that upstream was observed to have."""

    def test_the_function_gets_the_payload_and_its_bytes_are_the_result(self, start_run: StartRun) -> None:
        run = start_run()
        for more, result in (
            ({"a": (1, "b"), "k": {"z": 3}}, b"(b'payload', (1, 'b'), {'z': 3})"),
            ({"a": [1, 2]}, b"(b'payload', (1, 2), {})"),
            ({}, b"(b'payload', (), {})"),
        ):
            context = {"task_executor": {"f": "tests.system.tasks.show_payload", **more}}
            assert run.executor.submit_payload(context, b"payload").result(timeout=30) == result
        urgent = {**context, "resource_spec": {"priority": 1}}
        assert run.executor.submit_payload(urgent, memoryview(b"payload")).result(timeout=30) == result
        large = bytes(range(256)) * 4000
        context = {"task_executor": {"f": "operator.add", "a": [b"!"]}}
        assert run.executor.submit_payload(context, large).result(timeout=30) == large + b"!"

    @pytest.mark.parametrize("payload", [3, [1, 2], bytearray(b"xy")])
    def test_payload_and_result_may_be_other_objects(self, start_run: StartRun, payload: object) -> None:
        """Bytes of 3 are three zeros, which was the payload that arrived."""
        future = start_run().executor.submit_payload({"task_executor": {"f": "copy.copy"}}, payload)
        assert future.result(timeout=30) == payload
        assert type(future.result()) is type(payload)

    @pytest.mark.parametrize(
        ("function", "error"),
        [
            ("no_such_module.function", ModuleNotFoundError),
            ("tests.system.tasks.no_such_function", AttributeError),
            ("operator.neg", TypeError),
        ],
    )
    def test_a_failing_function_is_the_tasks_error(
        self, start_run: StartRun, function: str, error: type[Exception]
    ) -> None:
        future = start_run().executor.submit_payload({"task_executor": {"f": function}}, b"payload")
        with pytest.raises(error):
            future.result(timeout=30)

    @pytest.mark.parametrize(
        "given",
        [
            "module.function",
            {},
            {"a": [1]},
            {"f": "function"},
            {"f": "module..function"},
            {"f": len},
            {"f": "module.function", "args": [1]},
            {"f": "module.function", "a": "abc"},
            {"f": "module.function", "k": [1]},
            {"f": "module.function", "k": {1: 2}},
        ],
    )
    def test_another_form_is_refused(self, given: Any) -> None:
        with pytest.raises(ParameterError, match="task_executor"):
            HighThroughputExecutor().submit_payload({"task_executor": given}, b"payload")
