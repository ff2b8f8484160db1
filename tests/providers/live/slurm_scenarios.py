"""Programs that run inside a private Slurm cluster; see `scenario`."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

import parsl
from parsl import Config, HighThroughputExecutor, bash_app, configs, python_app
from parsl.executors import MPIExecutor
from parsl.launchers import SimpleLauncher, SingleNodeLauncher, SrunLauncher
from parsl.providers import SlurmProvider
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
    """Return host name and SLURM_NODEID."""
    import os
    import platform
    import time

    time.sleep(sleep_s)
    return platform.node(), os.environ.get("SLURM_NODEID", "none")


@python_app
def first_long_then_short(directory: str) -> str:
    """Run forever on the first attempt, and end immediately on the second; return the job's id."""
    import os
    import time

    job_id = os.environ["SLURM_JOB_ID"]
    is_first = not os.listdir(directory)
    with open(os.path.join(directory, job_id), "w"):
        pass
    if is_first:
        time.sleep(1000)
    return job_id


@python_app
def run_until(go: str) -> str:
    """Write the process id to a file `began` next to ``go``, and run until ``go`` exists."""
    import os
    import time

    began = os.path.join(os.path.dirname(go), "began")
    with open(f"{began}.new", "w") as file:
        file.write(str(os.getpid()))
    os.rename(f"{began}.new", began)
    while not os.path.exists(go):
        time.sleep(0.02)
    return os.environ["SLURM_JOB_ID"]


@bash_app
def run_ranks(command: str, parsl_resource_specification: Any = None, stdout: str | None = None) -> str:
    """Run a command on the task's nodes."""
    return f"$PARSL_MPI_PREFIX {command}"


def provider(**options: Any) -> SlurmProvider:
    """Return a provider of one-node blocks, with one initial block."""
    worker_init = f"{STAMP}; {options.pop('worker_init', ':')}"
    defaults: dict[str, Any] = {"partition": "debug", "launcher": SrunLauncher(), "cmd_timeout": 10}
    return SlurmProvider(worker_init=worker_init, **{**defaults, **options})


def config(blocks: SlurmProvider, *, max_workers: int = 4, retries: int = 0, **options: Any) -> Config:
    """Return a configuration with an executor with the label htex."""
    executor_options = options.pop("executor", {})
    executor = HighThroughputExecutor(
        label="htex",
        provider=blocks,
        max_workers_per_node=max_workers,
        cores_per_worker=0.01,
        **executor_options,
    )
    return Config(executors=[executor], retries=retries, **{"run_dir": "runs", **options})


def slurm(*command: str, timeout_s: float = 20) -> str:
    """Run a command of Slurm; return its output."""
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=timeout_s).stdout


def jobs(states: str = "PENDING,RUNNING") -> list[str]:
    """The ids of the jobs in these states."""
    return slurm("squeue", "-h", "-o", "%i", "-t", states).split()


def watch() -> Watch:
    """A watch of how many jobs are queued or running."""
    return Watch(lambda: len(jobs()))


def htex(kernel: Any) -> Any:
    """The executor of :func:`config`."""
    return kernel.executors["htex"]


def job_of(kernel: Any, block: str = "0") -> str:
    """Wait until a block has been submitted; return its job id."""
    executor = htex(kernel)
    wait_until(lambda: block in executor.blocks_to_job_id, 20, f"block {block} is submitted")
    return str(executor.blocks_to_job_id[block])


def wait_for_start(directory: Path) -> str:
    """Wait until `first_long_then_short` runs; return the id of its job."""
    wait_until(lambda: bool(os.listdir(directory)), 30, "the task runs")
    return os.listdir(directory)[0]


def marks() -> Path:
    """A new directory for `first_long_then_short`."""
    directory = Path("marks").absolute()
    directory.mkdir()
    return directory


def shutdown_facts(kernel_exit_began_s: float) -> dict[str, Any]:
    """Facts about the shutdown, just after ``with`` has returned."""
    return {"exit_s": gap_s(kernel_exit_began_s), "left": jobs(), "script_files": sorted(os.listdir("."))}


def ensemble() -> dict[str, Any]:
    """100 short tasks on one job of two nodes with four workers each."""
    begin_s = time.time()
    with parsl.load(config(provider(nodes_per_block=2))) as kernel:
        load_s = gap_s(begin_s)
        job_id = job_of(kernel)
        submitted_s = gap_s(begin_s)
        tasks = [where(0.05) for _ in range(100)]
        wait_until(lambda: any(task.done() for task in tasks), 30, "a first result")
        first_s = gap_s(begin_s)
        since_start_s = elapsed_since_start(job_id)
        places = sorted({task.result(timeout=30) for task in tasks})
        all_s = gap_s(begin_s)
        exit_began_s = time.time()
    return {
        "load_s": load_s,
        "submitted_s": submitted_s,
        "first_result_s": first_s,
        "first_result_after_job_start_s": since_start_s,
        "all_results_s": all_s,
        "places": places,
        **shutdown_facts(exit_began_s),
    }


def refused() -> dict[str, Any]:
    """A partition that does not exist."""
    begin_s = time.time()
    blocks = provider(partition="nonsuch", max_blocks=5)
    with parsl.load(config(blocks)) as kernel:
        error = where(0).exception(timeout=30)
        reported_s = gap_s(begin_s)
        time.sleep(1)  # no other submission may be attempted meanwhile
        tried = len(htex(kernel).status_facade)
    return {"error": str(error), "reported_s": reported_s, "tried": tried}


def scaling() -> dict[str, Any]:
    """More tasks than one block can run at once, and then none."""
    blocks = provider(init_blocks=0, max_blocks=3, exclusive=False, cores_per_node=2)
    options: dict[str, Any] = {"strategy": "htex_auto_scale", "strategy_period": 0.5, "max_idletime": 1.0}
    with watch() as queue, parsl.load(config(blocks, max_workers=2, **options)):
        tasks = [where(1.0) for _ in range(24)]
        hosts = {task.result(timeout=40) for task in tasks}
        done_s = time.time()
        wait_until(lambda: not jobs(), 60, "all blocks are given back")
        given_back_s = gap_s(done_s)
        again = where(0).result(timeout=30)
    return {
        "most": queue.most,
        "hosts": len(hosts),
        "given_back_s": given_back_s,
        "again": again,
        "left": jobs(),
    }


def _lose_a_job(end: tuple[str, ...], **options: Any) -> dict[str, Any]:
    directory = marks()
    with watch() as queue, parsl.load(config(provider(), strategy="simple", **options)):
        task = first_long_then_short(str(directory))
        first = wait_for_start(directory)
        lost_s = time.time()
        slurm(*(word.format(job=first) for word in end))
        second = task.result(timeout=80)
        facts = {
            "first": first,
            "second": second,
            "result_after_next_start_s": elapsed_since_start(second),
            "result_after_loss_s": gap_s(lost_s),
            "next_start_after_loss_s": round(started_at_s(second) - lost_s, 3),
            "failures": task.task_record["fail_count"],
        }
        exit_began_s = time.time()
    return {**facts, "most": queue.most, **shutdown_facts(exit_began_s)}


def walltime() -> dict[str, Any]:
    """A job that reaches its walltime while a task runs in it. (Only root may change the end of a job.)"""
    return _lose_a_job(("scontrol", "update", "jobid={job}", "EndTime=now+1"))


def deleted() -> dict[str, Any]:
    """A job that is cancelled while a task runs in it."""
    return _lose_a_job(("scancel", "{job}"), retries=1)


def node_failed() -> dict[str, Any]:
    """A job whose node fails while a task runs in it."""
    return _lose_a_job(("scontrol", "update", "nodename=n1", "state=down", "reason=test"), retries=1)


def suspended() -> dict[str, Any]:
    """A job that is suspended and resumed while a task runs in it. (Only root may.)"""
    go = Path("go").absolute()
    blocks = provider(launcher=SingleNodeLauncher())
    with parsl.load(config(blocks)) as kernel:
        task = run_until(str(go))
        job = job_of(kernel)
        wait_until(lambda: go.with_name("began").exists(), 30, "the task runs")
        worker = psutil.Process(int(go.with_name("began").read_text()))
        slurm("scontrol", "suspend", job)
        wait_until(lambda: worker.status() == psutil.STATUS_STOPPED, 30, "the worker is stopped")
        state = slurm("squeue", "-h", "-j", job, "-o", "%T").strip()
        slurm("scontrol", "resume", job)
        go.touch()
        result = task.result(timeout=60)
        managers = htex(kernel).connected_managers()
        failures = task.task_record["fail_count"]
    return {"state": state, "result": result, "job": job, "failures": failures, "managers": len(managers)}


def busy_end() -> dict[str, Any]:
    """A run that ends while a task runs and a job waits for nodes."""
    blocks = provider(nodes_per_block=4, init_blocks=2, max_blocks=2)
    with parsl.load(config(blocks)):
        places = [where(1000 if number else 0.0) for number in range(3)]
        places[0].result(timeout=30)
        before = sorted(slurm("squeue", "-h", "-o", "%T").split())
        exit_began_s = time.time()
    facts = shutdown_facts(exit_began_s)
    wait_until(lambda: not jobs("COMPLETING"), 60, "the nodes are free")
    processes = slurm("ps", "-eo", "args").count("process_worker_pool")
    began = sorted(path.name for path in Path().glob("started-*"))
    return {"before": before, "processes": processes, "began": began, **facts}


def drain() -> dict[str, Any]:
    """Blocks that drain every two seconds while tasks keep arriving."""
    blocks = provider(walltime="00:05:00")
    options: dict[str, Any] = {"strategy": "simple", "executor": {"drain_period": 2}}
    with watch() as queue, parsl.load(config(blocks, max_workers=2, **options)) as kernel:
        states = keep_busy(htex(kernel), where, blocks=3)
    return {"states": states, "most": queue.most, "left": jobs()}


def frozen() -> dict[str, Any]:
    """A controller that does not answer for a while, with running tasks and more that need other blocks."""
    controller = int(slurm("pgrep", "-x", "slurmctld").split()[0])
    blocks = provider(cmd_timeout=1, max_blocks=2, exclusive=False, cores_per_node=2)
    with watch() as queue, parsl.load(config(blocks, max_workers=2, strategy="simple")) as kernel:
        executor = htex(kernel)
        where(0).result(timeout=30)
        os.kill(controller, signal.SIGSTOP)
        try:
            tasks = [where(1.0) for _ in range(16)]
            wait_until(lambda: len(executor.status_facade) > 1, 60, "a submission without an answer")
            time.sleep(3)  # during which other jobs exist
            executor.status()
            during = [status.state.name for status in executor.status_facade.values()]
        finally:
            os.kill(controller, signal.SIGCONT)
        hosts = {task.result(timeout=60) for task in tasks}
        wait_until(lambda: len(jobs()) <= 2, 30, "the jobs that Parsl did not know are gone")
        after = executor.status()["0"].state.name
    wait_until(lambda: not jobs(), 60, "no job is left")
    return {"during": during, "after": after, "most": queue.most, "hosts": len(hosts), "left": jobs()}


def bad_worker_init() -> dict[str, Any]:
    """A worker_init that fails."""
    failing = "echo 'conda: no environment nonsuch' >&2; date +%s.%N >>ended; exit 3"
    begin_s = time.time()
    with watch() as queue, parsl.load(config(provider(worker_init=failing, max_blocks=4))):
        error = where(0).exception(timeout=60)
        reported_s = gap_s(begin_s)
        ends = [float(line) for line in Path("ended").read_text().split()]
        time.sleep(1)  # no other job may begin meanwhile
    return {
        "error": str(error),
        "reported_s": reported_s,
        "reported_after_end_s": round(begin_s + reported_s - ends[0], 3),
        "jobs": len(list(Path().glob("started-*"))),
        "most": queue.most,
    }


def spaces() -> dict[str, Any]:
    """Directories with spaces and quotes in their names."""
    place = Path('it\'s a "place"').absolute()
    place.mkdir()
    os.chdir(place)
    with parsl.load(config(provider(nodes_per_block=2), run_dir="my runs $HOME %j")):
        places = sorted({task.result(timeout=30) for task in [where(0.1) for _ in range(16)]})
    return {"places": places, "files": sorted(os.listdir(place.parent)), "here": sorted(os.listdir("."))}


def aurora() -> dict[str, Any]:
    """The workflow of Aurora's user guide, unchanged, with its configuration translated to Slurm."""
    path = os.environ["PATH"]
    return aurora_workflows.run_tiles(
        f"SlurmProvider(partition='debug', walltime='0:30:00', launcher=SrunLauncher(), "
        f"worker_init='export PATH={path}; cd {{here}}')"
    )


def _mpi_config(max_workers: int = 2, **options: Any) -> Config:
    """Blocks of four nodes, for programs that srun starts; the requested cores do not limit the ranks."""
    executor = MPIExecutor(
        label="htex",
        max_workers_per_block=max_workers,
        mpi_launcher="srun",
        provider=provider(nodes_per_block=4, cores_per_node=208, launcher=SimpleLauncher()),
        **options,
    )
    return Config(executors=[executor], run_dir="runs")


def mpi() -> dict[str, Any]:
    """An ensemble of programs on two nodes each, started by srun, on a job of four nodes."""
    begin_s = time.time()
    command = "sh -c " + shlex.quote("echo $(hostname) $SLURM_PROCID; sleep 1")
    with parsl.load(_mpi_config()):
        resources = {"num_nodes": 2, "ranks_per_node": 3}
        outputs = [os.path.abspath(f"out-{number}") for number in range(6)]
        tasks = [
            run_ranks(command, parsl_resource_specification=resources, stdout=output) for output in outputs
        ]
        tasks[0].result(timeout=40)
        first_s = gap_s(begin_s)
        codes = [task.result(timeout=40) for task in tasks]
        all_s = gap_s(begin_s)
        exit_began_s = time.time()
    facts = shutdown_facts(exit_began_s)
    printed = [[line.split() for line in Path(output).read_text().splitlines()] for output in outputs]
    return {"codes": codes, "printed": printed, "first_result_s": first_s, "all_results_s": all_s, **facts}


def mpich() -> dict[str, Any]:
    """A real MPI program on four nodes, and on one; then one that is cancelled, whose node is used again."""
    program = Path(__file__).parents[2] / "system" / "hello_mpi.py"
    command = f"--mpi=pmi2 {sys.executable} -S {program}"
    with parsl.load(_mpi_config(max_workers=4)):
        sizes = [{"num_nodes": 4, "ranks_per_node": 2}, {"num_nodes": 1, "ranks_per_node": 3}]
        outputs = [os.path.abspath(f"out-{number}") for number in range(2)]
        for size, output in zip(sizes, outputs, strict=True):
            run_ranks(command, parsl_resource_specification=size, stdout=output).result(timeout=40)
        whole_block = {"num_nodes": 4, "ranks_per_node": 1}
        endless = run_ranks("sleep 1000", parsl_resource_specification=whole_block)
        wait_until(lambda: _sleepers() == 4, 20, "its ranks run")
        endless.cancel()
        again = run_ranks(
            "hostname", parsl_resource_specification=whole_block, stdout=os.path.abspath("again")
        )
        again.result(timeout=40)
        sleeping = _sleepers()
    printed = [sorted(Path(output).read_text().splitlines()) for output in [*outputs, "again"]]
    return {"printed": printed, "sleeping": sleeping, "left": jobs()}


def _sleepers() -> int:
    return slurm("ps", "-eo", "args").count("/bin/sleep 1000")


def aurora_mpi() -> dict[str, Any]:
    """The MPI ensemble of Aurora's user guide."""
    return aurora_workflows.run_mpi(
        "SlurmProvider(partition='debug', walltime='0:30:00', launcher=SimpleLauncher(), "
        "nodes_per_block=4, worker_init='cd {here}')",
        place="$PARSL_MPI_NODELIST $SLURM_PROCID $SLURM_LOCALID $(hostname)",
    )


def ready() -> dict[str, Any]:
    """The ready-made configurations for any Slurm cluster, one after another."""
    output = os.path.abspath("out")
    with parsl.load(configs.slurm(partition="debug", nodes_per_block=2, workers_per_node=2, run_dir="runs")):
        hosts = sorted({task.result(timeout=40)[0] for task in [where(0.2) for _ in range(8)]})
    with parsl.load(configs.slurm_mpi(partition="debug", nodes_per_block=2, run_dir="runs")):
        size = {"num_nodes": 2, "ranks_per_node": 2}
        run_ranks("hostname", parsl_resource_specification=size, stdout=output).result(timeout=40)
    return {"hosts": hosts, "ranks": sorted(Path(output).read_text().split()), "left": jobs()}


def held() -> dict[str, Any]:
    """A held job: the user sees a warning, and the run continues once the job is released."""
    begin_s = time.time()
    options = "#SBATCH --hold"
    with record_warnings() as shown, parsl.load(config(provider(scheduler_options=options))) as kernel:
        task = where(0)
        shown.wait_until_warned(begin_s)
        slurm("scontrol", "release", job_of(kernel))
        place = task.result(timeout=60)
    return {"place": place, **shown.facts()}


def quiet() -> dict[str, Any]:
    """A running job whose state does not change."""
    with parsl.load(config(provider())):
        where(0).result(timeout=30)
        time.sleep(30)  # queries are more frequent just after a job's start
        return {"per_10s": commands_per_10s(40)}


if __name__ == "__main__":
    run_named(globals())
