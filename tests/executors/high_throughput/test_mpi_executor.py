"""Ensembles of programs on simulated nodes: each node runs one task at a time, and no task is lost."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from parsl.app.errors import AppTimeout, BashExitFailure
from parsl.common.processes import is_alive
from parsl.executors.errors import BadStateException, InvalidResourceSpecification
from parsl.executors.high_throughput.errors import WorkerLost
from parsl.testing import install_pals_mpiexec
from tests.system import tasks
from tests.system.mpi import MpiRun

if TYPE_CHECKING:
    from tests.conftest import WaitUntil

    StartMpiRun = Callable[..., MpiRun]

NODES = ["x1.hsn", "x2.hsn", "x3.hsn", "x4.hsn"]


@pytest.fixture
def start_mpi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StartMpiRun]:
    """Start an MpiRun with options, and with the stand-in for PALS on its PATH."""
    for variable in ("PBS_NODEFILE", "SLURM_JOB_NODELIST", "SLURM_NODELIST"):
        monkeypatch.delenv(variable, raising=False)
    install_pals_mpiexec(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}")
    runs: list[MpiRun] = []

    def start(nodes: list[str] | None = None, **options: Any) -> MpiRun:
        options.setdefault("max_workers_per_block", 4)
        runs.append(MpiRun(tmp_path, NODES if nodes is None else nodes, **options))
        return runs[-1]

    yield start
    for run in runs:
        run.close()


def variables(*names: str) -> list[str | None]:
    return [os.environ.get(name) for name in names]


def test_the_environment_of_a_task_names_its_nodes_while_it_runs(start_mpi: StartMpiRun) -> None:
    run = start_mpi(max_workers_per_block=1)
    names = ("PARSL_MPI_PREFIX", "PARSL_MPI_NODELIST", "PARSL_NUM_RANKS", "PARSL_LAUNCHER_OPTIONS")
    first = run.call(
        variables, *names, nodes=2, specification={"ranks_per_node": 3, "launcher_options": "-d 8"}
    )
    assert first.result(timeout=60) == [
        "mpiexec -n 6 -ppn 3 -hosts x1.hsn,x2.hsn -d 8", "x1.hsn,x2.hsn", "6", "-d 8",
    ]  # fmt: skip
    second = run.call(variables, *names)
    assert second.result(timeout=60) == ["mpiexec -n 1 -ppn 1 -hosts x1.hsn ", "x1.hsn", "1", None]


def meet(directory: str, number: int, count: int) -> str | None:
    """Wait until all tasks run at once, and return the task's node."""
    from tests.support.waiting import wait_until

    tasks.mark(directory, number)
    wait_until(lambda: len(os.listdir(directory)) == count)
    return os.environ["PARSL_MPI_NODELIST"]


def test_tasks_share_nodes_where_the_user_allows_it(start_mpi: StartMpiRun, marks: Path) -> None:
    run = start_mpi(["x1", "x2"], max_workers_per_block=5, max_ranks_per_node=4)
    sizes = [{"ranks_per_node": ranks} for ranks in (1, 2, 1, 3, 1)]
    futures = [run.call(meet, str(marks), at, 5, specification=size) for at, size in enumerate(sizes)]
    assert [future.result(timeout=60) for future in futures] == ["x1", "x1", "x1", "x2", "x2"]
    with pytest.raises(InvalidResourceSpecification, match="5 ranks on each node, but max_ranks_per_node is"):
        run.call(variables, specification={"ranks_per_node": 5})


def test_the_program_runs_on_the_nodes_of_its_task(start_mpi: StartMpiRun, tmp_path: Path) -> None:
    run = start_mpi()
    command = "$PARSL_MPI_PREFIX sh -c 'echo $PALS_RANKID $PALS_NODEID'"
    future = run.shell(command, nodes=2, specification={"num_ranks": 4}, stdout=f"{tmp_path}/out")
    assert future.result(timeout=60) == 0
    assert sorted((tmp_path / "out").read_text().splitlines()) == ["0 0", "1 0", "2 1", "3 1"]


def test_a_task_too_large_for_any_block_is_an_error_of_the_call(start_mpi: StartMpiRun) -> None:
    run = start_mpi(names_nodes=False)
    with pytest.raises(InvalidResourceSpecification, match="2 nodes, but a block has 1 node:"):
        run.call(variables, nodes=2)
    with pytest.raises(InvalidResourceSpecification, match="cannot be divided"):
        run.call(variables, specification={"ranks_per_node": 2, "num_ranks": 3, "num_nodes": None})
    assert run.call(variables, "PARSL_NUM_NODES").result(timeout=60) == ["1"]


def test_a_task_too_large_fails_where_only_the_block_knows_its_nodes(start_mpi: StartMpiRun) -> None:
    run = start_mpi()
    too_large, fitting = run.call(variables, nodes=5), run.call(variables, "PARSL_NUM_NODES", nodes=4)
    with pytest.raises(InvalidResourceSpecification, match="5 nodes, but a block has 4 nodes"):
        too_large.result(timeout=60)
    assert fitting.result(timeout=60) == ["4"]


@pytest.mark.parametrize(
    ("worker_init", "words"),
    [
        ("export PBS_NODEFILE=/nowhere/nodes", "/nowhere/nodes, which cannot be read: No such file"),
        ("export SLURM_JOB_NODELIST='n[1-'", "not a list of nodes"),
    ],
)
def test_an_invalid_node_list_is_reported_to_users(
    start_mpi: StartMpiRun, worker_init: str, words: str
) -> None:
    run = start_mpi(names_nodes=False, worker_init=worker_init, strategy="simple")
    with pytest.raises(BadStateException, match=words.replace("[", r"\[")):
        run.call(variables).result(timeout=60)


def test_a_task_for_the_whole_block_runs_although_small_ones_keep_arriving(start_mpi: StartMpiRun) -> None:
    run = start_mpi()
    small = [run.call(tasks.sleep_in_c, 0.01) for _ in range(6)]
    large = run.call(tasks.sleep_in_c, 0.0, nodes=4)
    while not large.done():
        small.append(run.call(tasks.sleep_in_c, 0.01))
        small[-4].result(timeout=60)
        assert len(small) < 200
    for future in small:
        future.result(timeout=60)


def test_a_long_node_list_is_in_a_file_while_the_task_runs(
    start_mpi: StartMpiRun, wait_until: WaitUntil
) -> None:
    names = [f"x{number}c0s0b0n0.hsn.cm.aurora.alcf.anl.gov" for number in range(2000)]
    run = start_mpi(names, max_workers_per_block=2)

    def lines() -> tuple[str, int]:
        path = os.environ["PARSL_MPI_HOSTFILE"]
        assert os.environ["PARSL_MPI_PREFIX"] == f"mpiexec -n 1500 -ppn 1 --hostfile {path} "
        with open(path) as file:
            return path, len(set(file))

    path, count = run.call(lines, nodes=1500).result(timeout=60)
    assert count == 1500
    wait_until(lambda: not os.path.exists(path))


def leave_behind(pids: str) -> None:
    import subprocess

    orphan = "sleep 1000 >/dev/null & echo $!"
    found = subprocess.run(["sh", "-c", orphan], stdout=subprocess.PIPE, check=True)
    deaf = subprocess.Popen(["sh", "-c", "trap '' TERM; sleep 1000"], start_new_session=True)
    tasks.write_whole(pids, f"{int(found.stdout)} {deaf.pid}")


def test_no_process_of_a_task_remains_when_its_result_arrives(start_mpi: StartMpiRun, tmp_path: Path) -> None:
    run = start_mpi(max_workers_per_block=1)
    worker = run.call(tasks.worker_pid).result(timeout=60)
    run.call(leave_behind, f"{tmp_path}/pids").result(timeout=60)
    assert not any(is_alive(int(pid)) for pid in (tmp_path / "pids").read_text().split())
    assert run.call(tasks.worker_pid).result(timeout=60) == worker


def test_a_block_is_replaced_after_its_maximum_of_launches(start_mpi: StartMpiRun) -> None:
    run = start_mpi(max_launches_per_block=4, strategy="simple")
    futures = [run.call(variables, "PARSL_WORKER_BLOCK_ID", nodes=1 + number % 2) for number in range(10)]
    blocks = Counter(block for future in futures for block in future.result(timeout=60))
    assert blocks == {"0": 4, "1": 4, "2": 2}


def start_program_and_die(command: str, after_s: float = 0.15) -> None:
    import subprocess
    import time

    subprocess.Popen(["bash", "-c", command])
    time.sleep(after_s)
    os.kill(os.getpid(), 9)


OUTCOMES: dict[str, type[BaseException] | None] = {
    "fine": None,
    "fails": BashExitFailure,
    "slow": AppTimeout,
    "cancelled": CancelledError,
    "dies": WorkerLost,
}


@pytest.mark.slow
def test_nodes_stay_in_use_when_the_interchange_is_lost(
    start_mpi: StartMpiRun, tmp_path: Path, wait_until: WaitUntil
) -> None:
    run = start_mpi(max_launches_per_block=100)
    release = tmp_path / "release"
    large = run.call(tasks.hold, f"{tmp_path}/large", str(release), nodes=3)
    small = run.call(tasks.hold, f"{tmp_path}/small", str(release), nodes=1)
    waiting = run.call(variables, "PARSL_MPI_NODELIST", nodes=4)
    wait_until(lambda: (tmp_path / "large").exists() and (tmp_path / "small").exists())
    supervisor = run.executor.engine.supervisor
    lost = supervisor.process
    lost.kill()
    wait_until(lambda: supervisor.process is not lost)
    assert len(run.executor.connected_managers()) == 1
    assert not waiting.done()
    release.touch()
    assert waiting.result(timeout=60) == [",".join(NODES)]
    assert len({large.result(timeout=60), small.result(timeout=60)}) == 2


def test_nodes_run_one_task_at_a_time_and_are_released_whatever_happens_to_tasks(
    start_mpi: StartMpiRun,
) -> None:
    check_random_tasks(start_mpi(), count=80, seed=7)  # 1,000 of them: `make chaos`


def check_random_tasks(run: MpiRun, count: int, seed: int) -> None:
    """Run tasks of 1, 2 and 4 nodes, a fifth of which fail; each node runs one task at a time."""
    chance = random.Random(seed)
    kinds = chance.choices(list(OUTCOMES), weights=[80, 6, 4, 6, 4], k=count)
    futures = []
    for kind in kinds:
        nodes = chance.choice([1, 1, 1, 2, 2, 4])
        if kind == "dies":
            futures.append(run.call(start_program_and_die, run.ranks(100), nodes=nodes))
        elif kind == "slow":
            futures.append(run.shell(run.ranks(100), nodes, walltime=0.3))
        else:
            seconds = 100 if kind == "cancelled" else 0.01
            futures.append(run.shell(run.ranks(seconds, exit_code=3 * (kind == "fails")), nodes))
    to_cancel = [future for kind, future in zip(kinds, futures, strict=True) if kind == "cancelled"]
    chance.shuffle(to_cancel)
    for future, kind in zip(futures, kinds, strict=True):
        while to_cancel and not wait([future], timeout=0.2).done:
            assert to_cancel.pop().cancel()  # queued or running
        expected = OUTCOMES[kind]
        if expected is None:
            assert future.result(timeout=60) == 0
        else:
            with pytest.raises(expected):
                future.result(timeout=60)
    assert run.shell(run.ranks(0), nodes=4).result(timeout=60) == 0
    assert run.overlaps() == []
