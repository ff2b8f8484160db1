"""How many workers start, with real bindings to CPUs, and what the user hears about that."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from parsl.executors.high_throughput.errors import WorkersWarning
from parsl.launchers import WrappedLauncher
from parsl.providers import LocalProvider
from tests.executors.high_throughput.test_htex_interchange_loss import kill_interchange
from tests.system import tasks

if TYPE_CHECKING:
    from tests.conftest import WaitUntil
    from tests.system.fixtures import StartRun
    from tests.system.run import Run

CPUS = sorted(os.sched_getaffinity(0))
pytestmark = pytest.mark.skipif(len(CPUS) < 2, reason="there is one CPU only")


def binding_provider() -> LocalProvider:
    """A provider whose launcher binds managers to one CPU, as `mpiexec --cpu-bind` may."""
    return LocalProvider(launcher=WrappedLauncher(f"taskset -c {CPUS[0]}"))


def workers(run: Run) -> int:
    run.warm_up()
    [manager] = run.executor.connected_managers()
    return int(manager["worker_count"])


def messages(recwarn: pytest.WarningsRecorder) -> list[str]:
    return [str(warning.message) for warning in recwarn.list if warning.category is WorkersWarning]


def test_twelve_accelerators_have_twelve_workers_on_any_number_of_cpus(
    start_run: StartRun, recwarn: pytest.WarningsRecorder
) -> None:
    run = start_run(
        provider=binding_provider(),
        max_workers_per_node=12,
        available_accelerators=12,
        cores_per_worker=1,
    )
    assert workers(run) == 12
    assert messages(recwarn) == []


@pytest.mark.linux
def test_workers_undo_the_binding_of_a_launcher(
    start_run: StartRun, recwarn: pytest.WarningsRecorder
) -> None:
    run = start_run(provider=binding_provider(), max_workers_per_node=2, cores_per_worker=1)
    assert workers(run) == 2
    assert set(CPUS) <= set(run.send(tasks.cpus).result(timeout=30))
    assert messages(recwarn) == []


@pytest.fixture
def bound_driver() -> Iterator[int]:
    """Bind this process to one CPU, as `taskset -c 0 python script.py` does."""
    os.sched_setaffinity(0, CPUS[:1])
    yield CPUS[0]
    os.sched_setaffinity(0, CPUS)


def test_workers_keep_the_binding_of_the_driver(
    start_run: StartRun, bound_driver: int, recwarn: pytest.WarningsRecorder, wait_until: WaitUntil
) -> None:
    run = start_run(max_workers_per_node=2, cores_per_worker=1)
    assert workers(run) == 2
    assert run.send(tasks.cpus).result(timeout=30) == [bound_driver]
    wait_until(lambda: len(messages(recwarn)) == 1)
    assert "2 workers share 1 CPU" in messages(recwarn)[0]


def test_the_driver_hears_of_missing_workers_once_for_each_block(
    start_run: StartRun, recwarn: pytest.WarningsRecorder, wait_until: WaitUntil
) -> None:
    run = start_run(
        provider=LocalProvider(init_blocks=2, max_blocks=2, worker_init="export PARSL_CORES=1"),
        max_workers_per_node=5,
        cores_per_worker=1,
    )
    wait_until(lambda: len(messages(recwarn)) == 2)
    kill_interchange(run, wait_until)  # its replacement gets the same registrations
    run.warm_up()
    for text in messages(recwarn):
        assert (
            "5 workers are requested (max_workers_per_node=5), but 1 run: cores_per_worker=1 on 1 core, "
            in text
        )
        assert "Write cores_per_worker=0.2." in text
    assert sorted(text.split(" on ")[0] for text in messages(recwarn)) == [
        "Executor htex, block 0",
        "Executor htex, block 1",
    ]
