"""A node that loses workers is quarantined in a run, users are warned, and all tasks run elsewhere."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import parsl
from parsl.executors.high_throughput.errors import BadNodeWarning
from parsl.providers import LocalProvider
from tests.executors.high_throughput.test_htex_interchange_loss import kill_interchange
from tests.system import tasks

if TYPE_CHECKING:
    from tests.conftest import WaitUntil
    from tests.system.fixtures import StartRun
    from tests.system.run import Run

#: A manager that uses the name of its block as the host name.
_MANAGER = """
import platform, sys
sys.path.append({root!r})
platform.node = lambda: "node" + sys.argv[-1]
from parsl.executors.high_throughput.process_worker_pool import main
sys.exit(main())
"""


def run_where_block_0_is_bad(marks: str) -> str:
    block = os.environ["PARSL_WORKER_BLOCK_ID"]
    if block == "0":
        tasks.mark(marks, "begun on the bad node")
        os._exit(9)
    return block


@pytest.fixture
def run(start_run: StartRun, wait_until: WaitUntil) -> Run:
    """A run with two nodes."""
    root = str(Path(parsl.__file__).parents[1])
    command = (
        shlex.join([sys.executable, "-c", _MANAGER.format(root=root)]).replace("{", "{{").replace("}", "}}")
    )
    run = start_run(
        launch_cmd=f"{command} --settings {{settings}} --block_id {{block_id}}",
        provider=LocalProvider(init_blocks=2, max_blocks=2),
        max_workers_per_node=1,
        retries=2,
    )
    wait_until(lambda: len(run.executor.connected_managers()) == 2)
    return run


@pytest.mark.parametrize("is_interchange_lost", [False, True], ids=["", "with the loss of the interchange"])
def test_a_bad_node_gets_no_more_tasks_and_the_run_completes_elsewhere(
    run: Run,
    marks: Path,
    wait_until: WaitUntil,
    recwarn: pytest.WarningsRecorder,
    is_interchange_lost: bool,
) -> None:
    done: set[str] = set()

    def is_quarantined() -> bool:
        futures = [run.call(run_where_block_0_is_bad, str(marks)) for _ in range(20)]
        done.update(future.result(timeout=60) for future in futures if future.exception(timeout=60) is None)
        return any(warning.category is BadNodeWarning for warning in recwarn.list)

    wait_until(is_quarantined)
    assert "Node node0 is quarantined" in str(
        next(w.message for w in recwarn if w.category is BadNodeWarning)
    )
    if is_interchange_lost:
        kill_interchange(run, wait_until)
    before = tasks.runs(marks)
    futures = [run.call(run_where_block_0_is_bad, str(marks)) for _ in range(20)]
    assert {future.result(timeout=60) for future in futures} == done == {"1"}
    assert tasks.runs(marks) == before
