"""A real MPI program under MPICH's mpiexec: on two names of this host, and on several hosts."""

from __future__ import annotations

import ctypes.util
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from parsl.app.errors import AppTimeout, BashExitFailure
from tests.support.simulated_hosts import run_among_hosts, why_not
from tests.system.mpi import MpiRun

if TYPE_CHECKING:
    from tests.conftest import WaitUntil

pytestmark = [
    pytest.mark.mpi,
    pytest.mark.skipif(
        ctypes.util.find_library("mpich") is None, reason="MPICH is not installed (Debian: mpich)"
    ),
]

PROGRAM = Path(__file__).parents[2] / "system" / "hello_mpi.py"
HELLO = f"$PARSL_MPI_PREFIX {sys.executable} -S {PROGRAM}"
HERE = platform.node()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MpiRun]:
    for variable in ("PBS_NODEFILE", "SLURM_JOB_NODELIST", "SLURM_NODELIST"):
        monkeypatch.delenv(variable, raising=False)
    started = MpiRun(tmp_path, ["localhost", "127.0.0.1"], max_workers_per_block=2)
    yield started
    started.close()


def ranks_running(mark: str) -> int:
    """The number of ranks of the program with `mark` as its sleeping time."""
    command = ["-S", str(PROGRAM), mark]
    return sum(
        process.info["cmdline"][1:4] == command and process.info["status"] != psutil.STATUS_ZOMBIE
        for process in psutil.process_iter(["cmdline", "status"])
        if process.info["cmdline"]
    )


def test_ranks_on_two_nodes_communicate(run: MpiRun, tmp_path: Path) -> None:
    specification = {"ranks_per_node": 2}
    futures = [run.shell(HELLO, 2, specification=specification, stdout=f"{tmp_path}/{n}") for n in range(2)]
    futures += [run.shell(HELLO, stdout=f"{tmp_path}/{n}") for n in range(2, 4)]
    assert [future.result(timeout=60) for future in futures] == [0, 0, 0, 0]
    printed = [sorted((tmp_path / str(n)).read_text().splitlines()) for n in range(4)]
    together = [f"{rank}/4 on {HERE}, total 6" for rank in range(4)]
    alone = [f"0/1 on {HERE}, total 0"]
    assert printed == [together, together, alone, alone]


def test_a_rank_that_fails_fails_the_task(run: MpiRun) -> None:
    with pytest.raises(BashExitFailure) as caught:
        run.shell(f"{HELLO} 0 3", 2).result(timeout=60)
    assert caught.value.exitcode == 3


def test_nothing_remains_of_a_program_that_timed_out_or_was_cancelled(
    run: MpiRun, wait_until: WaitUntil
) -> None:
    with pytest.raises(AppTimeout):
        run.shell(f"{HELLO} 1001", 2, walltime=0.7).result(timeout=60)
    assert ranks_running("1001") == 0
    cancelled = run.shell(f"{HELLO} 1002", 2)
    wait_until(lambda: ranks_running("1002") == 2)
    assert cancelled.cancel()
    assert run.shell(HELLO, 2).result(timeout=60) == 0
    assert ranks_running("1002") == 0


SCRIPT = f"""
import parsl
from parsl import Config, bash_app
from parsl.executors import MPIExecutor
from parsl.launchers import SimpleLauncher
from parsl.providers import LocalProvider

@bash_app
def hello(parsl_resource_specification, stdout):
    return {HELLO!r}

provider = LocalProvider(launcher=SimpleLauncher())
executor = MPIExecutor(max_workers_per_block=4, provider=provider)
sizes = [1, 2, 4, 1, 1, 2, 4, 2]
with parsl.load(Config(run_dir="runs", executors=[executor])):
    tasks = [
        hello({{"num_nodes": size, "ranks_per_node": 2}}, stdout=f"out-{{number}}")
        for number, size in enumerate(sizes)
    ]
    for task in tasks:
        task.result(timeout=60)
for number, size in enumerate(sizes):
    lines = open(f"out-{{number}}").read().splitlines()
    hosts = [line.split()[2] for line in sorted(lines)]
    ranks, total = 2 * size, size * (2 * size - 1)
    numbers = [f"{{rank}}/{{ranks}}" for rank in range(ranks)]
    assert sorted(line.split()[0] for line in lines) == numbers, lines
    assert all(line.endswith(f"total {{total}}") for line in lines), lines
    assert len(set(hosts)) == size and all(hosts.count(host) == 2 for host in hosts), lines
print("all on their nodes")
"""


@pytest.mark.skipif(bool(why_not()), reason=why_not() or "hosts can be simulated")
def test_tasks_of_one_two_and_four_nodes_on_four_hosts(tmp_path: Path) -> None:
    done = run_among_hosts(SCRIPT, ["north", "east", "south", "west"], tmp_path)
    assert (done.returncode, done.stdout) == (0, "all on their nodes\n"), done.stdout + done.stderr
