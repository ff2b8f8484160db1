"""Programs that run inside a private Grid Engine cell; see `scenario`."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import parsl
from parsl import Config, HighThroughputExecutor, bash_app, python_app
from parsl.executors import MPIExecutor
from parsl.launchers import SimpleLauncher
from parsl.providers import GridEngineProvider
from tests.providers.live import aurora_workflows
from tests.providers.live.scenario import (
    STAMP,
    Watch,
    commands_per_10s,
    elapsed_since_start,
    gap_s,
    keep_busy,
    record_warnings,
    run_named,
    started_at_s,
    wait_until,
)


@python_app
def where(sleep_s: float) -> tuple[str, str]:
    """Return host name and the job's id."""
    import os
    import platform
    import time

    time.sleep(sleep_s)
    return platform.node(), os.environ["JOB_ID"]


@python_app
def first_long_then_short(directory: str) -> str:
    """Run forever on the first attempt, and end immediately on the second; return the job's id."""
    import os
    import time

    job_id = os.environ["JOB_ID"]
    is_first = not os.listdir(directory)
    with open(os.path.join(directory, job_id), "w"):
        pass
    if is_first:
        time.sleep(1000)
    return job_id


def config(
    *, retries: int = 0, strategy: str = "simple", drain_period: int | None = None, **options: Any
) -> Config:
    """Return a configuration with one-node blocks that have four workers each."""
    place = os.getcwd()
    worker_init = f"cd '{place}'; {STAMP}; {options.pop('worker_init', ':')}"
    executor = HighThroughputExecutor(
        label="htex",
        provider=GridEngineProvider(worker_init=worker_init, **{"cmd_timeout": 10, **options}),
        max_workers_per_node=4,
        cores_per_worker=0.01,
        drain_period=drain_period,
    )
    return Config(executors=[executor], retries=retries, run_dir="runs", strategy=strategy)


def run(*command: str) -> str:
    """Run a command of Grid Engine; return its output."""
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout


def jobs() -> list[str]:
    """The ids of the jobs that have not ended."""
    return [line.split()[0] for line in run("qstat").splitlines()[2:]]


def watch() -> Watch:
    """A watch of how many jobs are queued or running."""
    return Watch(lambda: len(jobs()))


def ensemble() -> dict[str, Any]:
    """100 short tasks on two jobs with four workers each."""
    begin_s = time.time()
    with parsl.load(config(init_blocks=2, max_blocks=2)) as kernel:
        executor: Any = kernel.executors["htex"]
        load_s = gap_s(begin_s)
        wait_until(lambda: len(executor.blocks_to_job_id) == 2, 20, "both jobs are submitted")
        submitted_s = gap_s(begin_s)
        tasks = [where(0.05) for _ in range(100)]
        wait_until(lambda: any(task.done() for task in tasks), 30, "a first result")
        first_s = gap_s(begin_s)
        job_ids = [str(job_id) for job_id in executor.blocks_to_job_id.values()]
        since_start_s = gap_s(min(map(started_at_s, job_ids)))
        wait_until(lambda: len(executor.connected_managers()) == 2, 30, "both jobs run")
        places = {task.result(timeout=30) for task in tasks}
        all_s = gap_s(begin_s)
        exit_began_s = time.time()
    exit_s = gap_s(exit_began_s)
    wait_until(lambda: not jobs(), 60, "no job is left")
    return {
        "load_s": load_s,
        "submitted_s": submitted_s,
        "first_result_s": first_s,
        "first_result_after_job_start_s": since_start_s,
        "all_results_s": all_s,
        "exit_s": exit_s,
        "gone_s": gap_s(exit_began_s),
        "places": sorted(places),
        "jobs": sorted(job_ids),
        "here": sorted(os.listdir(".")),
    }


def refused() -> dict[str, Any]:
    """A queue that does not exist."""
    begin_s = time.time()
    with parsl.load(config(queue="nonsuch.q", max_blocks=5)) as kernel:
        error = where(0).exception(timeout=30)
        reported_s = gap_s(begin_s)
        time.sleep(1)  # no other submission may be attempted meanwhile
        executor: Any = kernel.executors["htex"]
        tried = len(executor.status_facade)
    return {"error": str(error), "reported_s": reported_s, "tried": tried}


def _lose_a_job(end: tuple[str, ...], **options: Any) -> dict[str, Any]:
    directory = Path("marks").absolute()
    directory.mkdir()
    with watch() as queue, parsl.load(config(**options)) as kernel:
        task = first_long_then_short(str(directory))
        wait_until(lambda: bool(os.listdir(directory)), 30, "the task runs")
        first = os.listdir(directory)[0]
        lost_s = time.time()
        if end:
            run(*end, first)
        second = task.result(timeout=80)
        facts = {
            "first": first,
            "second": second,
            "result_after_next_start_s": elapsed_since_start(second),
            "next_start_after_loss_s": round(started_at_s(second) - lost_s, 3),
        }
        executor: Any = kernel.executors["htex"]
        wait_until(lambda: executor.status()["0"].terminal, 30, "the end of the first job is known")
        facts["state"] = executor.status_facade["0"].state.name
        exit_began_s = time.time()
    facts["exit_s"] = gap_s(exit_began_s)
    wait_until(lambda: not jobs(), 60, "no job is left")
    return {**facts, "most": queue.most}


def deleted() -> dict[str, Any]:
    """A job that is deleted while a task runs in it."""
    return _lose_a_job(("qdel",), retries=1)


def walltime() -> dict[str, Any]:
    """A job that reaches its walltime while a task runs in it."""
    return _lose_a_job((), walltime="00:00:04")


def drain() -> dict[str, Any]:
    """Blocks that drain every two seconds while tasks keep arriving."""
    with watch() as queue, parsl.load(config(drain_period=2)) as kernel:
        states = keep_busy(kernel.executors["htex"], where, blocks=3)
    wait_until(lambda: not jobs(), 60, "no job is left")
    return {"states": states, "most": queue.most}


@bash_app
def name_nodes(parsl_resource_specification: Any = None, stdout: str | None = None) -> str:
    """Name the task's nodes."""
    return "echo ${PARSL_MPI_NODELIST//,/ }; sleep 0.5"


def mpi() -> dict[str, Any]:
    """Tasks of one and two nodes in a job of two nodes, which Grid Engine lists in its own kind of file."""
    executor = MPIExecutor(
        max_workers_per_block=2,
        provider=GridEngineProvider(
            nodes_per_block=2,
            scheduler_options="#$ -pe nodes 2",
            worker_init="export PBS_NODEFILE=$PE_HOSTFILE",
            launcher=SimpleLauncher(),
        ),
    )
    sizes = (2, 1, 1, 2)
    outputs = [os.path.abspath(f"out-{number}") for number in range(len(sizes))]
    with parsl.load(Config(executors=[executor], run_dir="runs")):
        tasks = [
            name_nodes(parsl_resource_specification={"num_nodes": size}, stdout=output)
            for size, output in zip(sizes, outputs, strict=True)
        ]
        codes = [task.result(timeout=60) for task in tasks]
    wait_until(lambda: not jobs(), 60, "no job is left")
    return {"codes": codes, "hosts": [sorted(Path(output).read_text().split()) for output in outputs]}


def bad_worker_init() -> dict[str, Any]:
    """A worker_init that fails."""
    failing = "echo 'conda: no environment nonsuch' >&2; date +%s.%N >>ended; exit 3"
    begin_s = time.time()
    with watch() as queue, parsl.load(config(worker_init=failing, max_blocks=4)):
        error = where(0).exception(timeout=60)
        reported_s = gap_s(begin_s)
        ends = [float(line) for line in Path("ended").read_text().split()]
        time.sleep(1)  # no other job may begin meanwhile
    started = len(list(Path().glob("started-*")))
    delay_s = round(begin_s + reported_s - ends[0], 3)
    return {
        "error": str(error),
        "reported_after_end_s": delay_s,
        "jobs": started,
        "most": queue.most,
    }


def held() -> dict[str, Any]:
    """A held job: the user sees a warning, and the run continues once the job is released."""
    with record_warnings() as shown, parsl.load(config(scheduler_options="#$ -h")):
        begin_s = time.time()
        task = where(0)
        shown.wait_until_warned(begin_s)
        run("qrls", "1")
        _, job_id = task.result(timeout=60)
    return {"job": job_id, **shown.facts()}


def never_runs() -> dict[str, Any]:
    """A job that no host can ever run."""
    with record_warnings() as shown, parsl.load(config(scheduler_options="#$ -l mem_total=1000T")):
        begin_s = time.time()
        task = where(0)
        shown.wait_until_warned(begin_s)
        is_failed = task.done()
    return {"is_failed": is_failed, "left": jobs(), **shown.facts()}


def scaling() -> dict[str, Any]:
    """More tasks than one block can run at once, and then none."""
    options: dict[str, Any] = {"init_blocks": 0, "max_blocks": 3, "strategy": "htex_auto_scale"}
    scaled = config(**options)
    scaled.max_idletime, scaled.strategy_period = 1.0, 0.5
    with watch() as queue, parsl.load(scaled):
        used: set[str] = set()
        until_s = time.monotonic() + 90
        while len(used) < 3 and time.monotonic() < until_s:  # a busy machine starts blocks slowly
            used |= {task.result(timeout=40)[1] for task in [where(0.5) for _ in range(36)]}
        done_s = time.time()
        wait_until(lambda: not jobs(), 60, "all blocks are given back")
        given_back_s = gap_s(done_s)
        again = where(0).result(timeout=30)
    return {"most": queue.most, "used": len(used), "given_back_s": given_back_s, "again": again}


def aurora() -> dict[str, Any]:
    """The workflow of Aurora's user guide, unchanged, with its configuration translated to Grid Engine."""
    facts = aurora_workflows.run_tiles(
        "GridEngineProvider(walltime='0:30:00', worker_init='export HOME={home}; cd {here}')"
    )
    wait_until(lambda: not jobs(), 60, "no job is left")
    return facts


def quiet() -> dict[str, Any]:
    """A running job whose state does not change."""
    with parsl.load(config()):
        where(0).result(timeout=30)
        time.sleep(30)  # queries are more frequent just after a job's start
        return {"per_10s": commands_per_10s(40)}


if __name__ == "__main__":
    run_named(globals())
