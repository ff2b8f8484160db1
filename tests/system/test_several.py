"""Several executors in a run, several runs in a process, runs within runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import parsl
from parsl import Config, ThreadPoolExecutor, python_app
from parsl.dataflow.dflow import DataFlowKernel
from parsl.errors import ConfigurationError
from tests.system import tasks
from tests.system.run import executor

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import WaitUntil


def test_two_executors_have_separate_workers(tmp_path: Path) -> None:
    executors = [
        executor(label="tiles", available_accelerators=["0.0", "0.1"]),
        executor(label="plain", max_workers_per_node=1),
        ThreadPoolExecutor(label="threads"),
    ]
    tile = python_app(tasks.environment, executors=["tiles"])
    plain = python_app(tasks.environment, executors=["plain"])
    here = python_app(tasks.worker_pid, executors=["threads"])
    with parsl.load(Config(executors=executors, run_dir=str(tmp_path / "r"))):
        names = ("PARSL_WORKER_COUNT", "ZE_AFFINITY_MASK")
        seen = [tile(*names).result(timeout=30) for _ in range(10)]
        assert {found["PARSL_WORKER_COUNT"] for found in seen} == {"2"}
        assert {found["ZE_AFFINITY_MASK"] for found in seen} <= {"0.0", "0.1"}
        assert plain(*names).result(timeout=30) == {"PARSL_WORKER_COUNT": "1", "ZE_AFFINITY_MASK": None}
        assert here().result(timeout=30) == __import__("os").getpid()


def test_results_pass_from_one_executor_to_another(tmp_path: Path) -> None:
    executors = [executor(label="a"), executor(label="b")]
    first = python_app(lambda n: n * b"x", executors=["a"])
    second = python_app(lambda load: load + b"y", executors=["b"])
    with parsl.load(Config(executors=executors, run_dir=str(tmp_path / "r"))):
        futures = [second(first(10 ** (n % 6))) for n in range(24)]
        sizes = [len(future.result(timeout=30)) for future in futures]
    assert sizes == [10 ** (n % 6) + 1 for n in range(24)]


def test_the_loss_of_one_executor_does_not_affect_the_other(tmp_path: Path) -> None:
    executors = [executor(label="lost", launch_cmd="exit 1"), executor(label="fine")]
    lost, fine = python_app(tasks.add, executors=["lost"]), python_app(tasks.add, executors=["fine"])
    with parsl.load(Config(executors=executors, run_dir=str(tmp_path / "r"))):
        assert lost(1).exception(timeout=30) is not None
        assert fine(1).result(timeout=30) == 1


def test_two_executors_with_the_same_label_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="same"):
        parsl.load(Config(executors=[executor(label="same"), executor(label="same")], run_dir=str(tmp_path)))
    parsl.clear()


def test_several_kernels_run_at_once(tmp_path: Path) -> None:
    def config() -> Config:
        return Config(executors=[executor()], run_dir=str(tmp_path / "r"))

    with DataFlowKernel(config()) as one, DataFlowKernel(config()) as two, DataFlowKernel(config()) as three:
        kernels = (one, two, three)
        apps: list[Any] = [python_app(tasks.environment, data_flow_kernel=kernel) for kernel in kernels]
        pools = [app("PARSL_WORKER_POOL_ID").result(timeout=30)["PARSL_WORKER_POOL_ID"] for app in apps]
        assert len(set(pools)) == 3
        assert len({kernel.run_dir for kernel in kernels}) == 3
        two.cleanup()
        assert apps[0]("PARSL_WORKER_POOL_ID").result(timeout=30)["PARSL_WORKER_POOL_ID"] == pools[0]
        assert apps[2]("PARSL_WORKER_POOL_ID").result(timeout=30)["PARSL_WORKER_POOL_ID"] == pools[2]


def test_a_task_can_load_its_own_run(tmp_path: Path) -> None:
    def nested(directory: str) -> int:
        import parsl
        from tests.system import tasks
        from tests.system.run import executor

        with parsl.load(parsl.Config(executors=[executor(label="inner")], run_dir=directory)):
            return sum(future.result() for future in [parsl.python_app(tasks.add)(i) for i in range(10)])

    with parsl.load(Config(executors=[executor(label="outer")], run_dir=str(tmp_path / "outer"))):
        assert python_app(nested)(str(tmp_path / "inner")).result(timeout=60) == 45


def test_a_nested_run_ends_with_its_task(tmp_path: Path, wait_until: WaitUntil) -> None:
    from parsl.common.processes import is_alive

    def nested(directory: str, pid_file: str) -> None:
        import parsl
        from tests.system import tasks
        from tests.system.run import executor

        with parsl.load(parsl.Config(executors=[executor(label="inner")], run_dir=directory)):
            parsl.python_app(tasks.hold)(pid_file, f"{directory}/never").result()

    with parsl.load(Config(executors=[executor(label="outer")], run_dir=str(tmp_path / "outer"))):
        future = python_app(nested)(str(tmp_path / "inner"), str(tmp_path / "pid"))
        wait_until((tmp_path / "pid").exists)
        assert future.cancel()
        pid = int((tmp_path / "pid").read_text())
        wait_until(lambda: not is_alive(pid), 60)


@pytest.mark.parametrize("count", [8])
def test_a_forked_child_of_the_driver_does_no_harm(tmp_path: Path, count: int) -> None:
    import multiprocessing

    add = python_app(tasks.add)
    with parsl.load(Config(executors=[executor()], run_dir=str(tmp_path / "r"))):
        assert add(1).result(timeout=30) == 1
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert pool.map(abs, range(count)) == list(range(count))
        assert add(2).result(timeout=30) == 2


def test_many_threads_submit_at_once(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor as Threads

    add = python_app(tasks.add)
    with parsl.load(Config(executors=[executor()], run_dir=str(tmp_path / "r"))) as kernel:
        [htex] = [found for label, found in kernel.executors.items() if label == "htex"]

        def use(number: int) -> int:
            futures = [add(number, b=i) for i in range(50)]
            htex.connected_managers()  # type: ignore[attr-defined]
            return sum(future.result(timeout=60) for future in futures)

        with Threads(16) as threads:
            assert list(threads.map(use, range(32))) == [50 * number + 1225 for number in range(32)]
