"""Programs that measure delays on the stand-in for PBS; see `scenario`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import parsl
from parsl import Config, HighThroughputExecutor, python_app
from parsl.launchers import SimpleLauncher
from parsl.providers import PBSProProvider
from parsl.testing.schedulers import PBSCluster
from parsl.testing.schedulers.records import FINISHED
from tests.providers.live.scenario import (
    STAMP,
    commands_per_10s,
    elapsed_since_start,
    gap_s,
    record_warnings,
    run_named,
    wait_until,
)


def facts_of(scenario: str, directory: Path) -> Any:
    """Run a scenario in its own process; return the facts that it printed."""
    command = [sys.executable, "-m", "tests.providers.live.pbs_scenarios", scenario]
    paths = [str(Path(parsl.__file__).parents[1]), str(Path(__file__).parents[3])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(
        command, cwd=directory, capture_output=True, text=True, timeout=200, check=False, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@python_app
def where(sleep_s: float) -> str:
    """Return the number of the job."""
    import os
    import time

    time.sleep(sleep_s)
    return os.environ["PBS_JOBID"].partition(".")[0]


@python_app
def first_long_then_short(directory: str) -> str:
    """Run forever on the first attempt, and end immediately on the second; return the job's number."""
    import os
    import time

    number = os.environ["PBS_JOBID"].partition(".")[0]
    is_first = not os.listdir(directory)
    with open(os.path.join(directory, number), "w"):
        pass
    if is_first:
        time.sleep(1000)
    return number


def cluster(nodes: int = 2) -> PBSCluster:
    """Return a new cluster whose commands are on the PATH."""
    made = PBSCluster("c", nodes)
    made.activate()
    return made


def config(*, retries: int = 0, worker_init: str = ":", **options: Any) -> Config:
    """Return a configuration with an executor with the label htex and four workers per node."""
    python = f"export PATH='{Path(sys.executable).parent}':$PATH PYTHONPATH='{os.environ['PYTHONPATH']}'"
    provider = PBSProProvider(
        account="x",
        walltime="0:10:00",
        cpus_per_node=208,
        launcher=SimpleLauncher(),
        worker_init=f"cd '{os.getcwd()}'; {STAMP}; {python}; {worker_init}",
        **options,
    )
    executor = HighThroughputExecutor(
        label="htex", provider=provider, max_workers_per_node=4, cores_per_worker=0.01
    )
    return Config(executors=[executor], retries=retries, run_dir="runs")


def ensemble() -> dict[str, Any]:
    """100 short tasks on one job."""
    with cluster() as pbs:
        begin_s = time.time()
        with parsl.load(config()):
            wait_until(lambda: bool(pbs.jobs()), 20, "the job is submitted")
            submitted_s = gap_s(begin_s)
            tasks = [where(0.05) for _ in range(100)]
            wait_until(lambda: any(task.done() for task in tasks), 30, "a first result")
            first_s = gap_s(begin_s)
            since_start_s = elapsed_since_start(1)
            for task in tasks:
                task.result(timeout=30)
            all_s = gap_s(begin_s)
            exit_began_s = time.time()
        exit_s = gap_s(exit_began_s)
        pbs.wait_for(1, FINISHED)
    return {
        "submitted_s": submitted_s,
        "first_result_s": first_s,
        "first_result_after_job_start_s": since_start_s,
        "all_results_s": all_s,
        "exit_s": exit_s,
    }


def busy_end() -> dict[str, Any]:
    """A run that ends while a task runs and a job waits for nodes."""
    with cluster(nodes=1) as pbs:
        with parsl.load(config(init_blocks=2, max_blocks=2)):
            where(0).result(timeout=30)
            where(1000)
            wait_until(lambda: len(pbs.jobs()) == 2, 20, "both jobs are submitted")
            exit_began_s = time.time()
        exit_s = gap_s(exit_began_s)
        began = [bool(pbs.wait_for(number, FINISHED).started_s) for number in (1, 2)]
    return {"exit_s": exit_s, "began": began}


def _lose_a_job(end: str) -> dict[str, Any]:
    directory = Path("marks").absolute()
    directory.mkdir()
    with cluster() as pbs, parsl.load(config()):
        task = first_long_then_short(str(directory))
        wait_until(lambda: bool(os.listdir(directory)), 30, "the task runs")
        lost_s = time.time()
        if end == "walltime":
            pbs.end_walltime(1)
        else:
            subprocess.run([end, "1"], check=True)
        number = task.result(timeout=80)
        return {
            "result_after_next_start_s": elapsed_since_start(number),
            "result_after_loss_s": gap_s(lost_s),
            "failures": task.task_record["fail_count"],
        }


def deleted() -> dict[str, Any]:
    """A job that is deleted while a task runs in it."""
    return _lose_a_job("qdel")


def walltime() -> dict[str, Any]:
    """A job that reaches its walltime while a task runs in it."""
    return _lose_a_job("walltime")


def bad_worker_init() -> dict[str, Any]:
    """A worker_init that fails."""
    failing = "echo 'conda: no environment nonsuch' >&2; date +%s.%N >>ended; exit 3"
    with cluster() as pbs, parsl.load(config(worker_init=failing, max_blocks=4)):
        error = where(0).exception(timeout=60)
        reported_s = time.time()
        ends = [float(line) for line in Path("ended").read_text().split()]
        jobs = len(pbs.jobs())
    return {"error": str(error), "reported_after_end_s": round(reported_s - ends[0], 3), "jobs": jobs}


def refused() -> dict[str, Any]:
    """A queue that does not exist."""
    with cluster() as pbs:
        pbs.misbehave("qsub", "refuse qsub: Unknown queue")
        begin_s = time.time()
        with parsl.load(config(max_blocks=5)):
            error = where(0).exception(timeout=30)
            reported_s = gap_s(begin_s)
        tried = pbs.calls("qsub")
    return {"error": str(error), "reported_s": reported_s, "tried": tried}


def held() -> dict[str, Any]:
    """A job that is never released."""
    with cluster() as pbs:
        pbs.set_scheduling(False)
        with record_warnings() as shown, parsl.load(config()):
            wait_until(lambda: bool(pbs.jobs()), 20, "the job is submitted")
            pbs.hold(1, by="o", comment="the disks are being repaired")
            shown.wait_until_warned(since_s=time.time())
    return shown.facts()


def never_runs() -> dict[str, Any]:
    """A job that needs more nodes than the cluster has."""
    with cluster(), record_warnings() as shown:
        begin_s = time.time()
        with parsl.load(config(nodes_per_block=3)):
            shown.wait_until_warned(begin_s)
    return shown.facts()


def quiet() -> dict[str, Any]:
    """A running job whose state does not change."""
    with cluster(), parsl.load(config()):
        where(0).result(timeout=30)
        time.sleep(30)  # queries are more frequent just after a job's start
        return {"per_10s": commands_per_10s()}


if __name__ == "__main__":
    run_named(globals())
