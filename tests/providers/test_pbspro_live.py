"""HighThroughputExecutor with PBSProProvider on the stand-in for PBS: real jobs, managers and tasks."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import parsl
from parsl.launchers import MpiExecLauncher
from parsl.testing.schedulers import AURORA_POLICY, PBSCluster
from parsl.testing.schedulers.records import FINISHED, QUEUED, RUNNING
from tests.providers.pbs_jobs import DEADLINE_S, config, wait_for_lines
from tests.providers.pbs_tasks import run_until, where

SOURCES = Path(parsl.__file__).parents[1]
AURORA_GUIDE = Path(__file__).parent / "aurora_guide"
EXAMPLE = Path(__file__).parents[2] / "examples" / "aurora"


@pytest.mark.parametrize("flavour", PBSCluster.flavours)
def test_tasks_run_in_a_job_that_ends_with_the_program(make_cluster, tmp_path, flavour):
    cluster = make_cluster(flavour=flavour)
    with parsl.load(config(tmp_path)):
        app = parsl.python_app(where)
        ids = {future.result(DEADLINE_S) for future in [app() for _ in range(10)]}
    [job] = cluster.jobs()
    assert ids == {f"{job.number}.{cluster.server}"}
    # The manager was ordered to exit; the job may have ended before qdel ran.
    assert cluster.wait_for(job.number).exit_status in (0, 271)
    assert job.submit_arguments.endswith(".sh")
    assert not [name for name in os.listdir(tmp_path) if re.fullmatch(r".*\.[oe]\d+", name)]


def test_a_config_is_loaded_twice_and_its_jobs_are_cancelled_once(cluster, tmp_path, monkeypatch):
    calls = tmp_path / "calls"
    qdel = tmp_path / "bin" / "qdel"
    qdel.parent.mkdir()
    qdel.write_text(f'#!/bin/sh\necho x >> {calls}\nexec {shutil.which("qdel")} "$@"\n')
    qdel.chmod(0o755)
    monkeypatch.setenv("PATH", str(qdel.parent), prepend=os.pathsep)
    loaded = config(tmp_path)
    for number in (1, 2):
        with parsl.load(loaded) as kernel:
            assert parsl.python_app(where)().result(DEADLINE_S) == f"{number}.{cluster.server}"
        assert len(calls.read_text().split()) == number
        assert "died" not in Path(kernel.run_dir, "htex", "interchange.log").read_text()


def test_every_node_of_a_job_has_a_manager(cluster, tmp_path, wait_until):
    options = {"nodes_per_block": 2, "launcher": MpiExecLauncher(bind_cmd="--cpu-bind", overrides="--ppn 1")}
    with parsl.load(config(tmp_path, options)) as kernel:
        parsl.python_app(where)().result(DEADLINE_S)
        wait_until(lambda: len(kernel.executors["htex"].connected_managers()) == 2)


def test_the_worker_pool_is_found_without_an_activated_environment(cluster, tmp_path):
    launcher = MpiExecLauncher(bind_cmd="--cpu-bind", overrides="--ppn 1")
    loaded = config(tmp_path, {"worker_init": "", "launcher": launcher})
    loaded.executors[0].launch_cmd = "process_worker_pool.py --logdir={logdir} --block_id={{block_id}}"
    with parsl.load(loaded):
        assert parsl.python_app(where)().result(DEADLINE_S)


def test_a_task_of_a_deleted_job_is_retried_in_the_next(cluster, tmp_path, wait_until):
    """The loss is not the task's failure, so it needs no retries."""
    marker, runs = tmp_path / "go", tmp_path / "runs"
    with parsl.load(config(tmp_path, retries=0)):
        future = parsl.python_app(run_until)(str(marker), str(runs))
        [first] = wait_for_lines(wait_until, runs, 1)
        subprocess.run(["qdel", first], check=True)
        wait_for_lines(wait_until, runs, 2)
        marker.touch()
        assert future.result(DEADLINE_S) != first
    assert [job.number for job in cluster.jobs()] == [1, 2]


def test_a_task_of_a_job_at_its_walltime_is_retried_in_the_next(cluster, tmp_path, wait_until):
    """The loss is not the task's failure, so it needs no retries."""
    marker, runs = tmp_path / "go", tmp_path / "runs"
    with parsl.load(config(tmp_path, retries=0)):
        future = parsl.python_app(run_until)(str(marker), str(runs))
        [first] = wait_for_lines(wait_until, runs, 1)
        cluster.end_walltime(first)
        _, second = wait_for_lines(wait_until, runs, 2)
        marker.touch()
        assert future.result(DEADLINE_S) == second != first
    assert cluster.job(first).exit_status == -29


@pytest.mark.parametrize("fault", ["exit 1", "empty", "half", "server-down", "hang", "say {}"])
def test_a_job_survives_a_misbehaving_qstat(cluster, tmp_path, fault, wait_until):
    marker, runs = tmp_path / "go", tmp_path / "runs"
    cluster.misbehave("qstat", fault)
    options = {"max_blocks": 1, "cmd_timeout": 5}
    with parsl.load(config(tmp_path, options)):
        future = parsl.python_app(run_until)(str(marker), str(runs))
        wait_for_lines(wait_until, runs, 1)
        wait_until(lambda: cluster.calls("qstat") >= 1, DEADLINE_S)
        marker.touch()
        assert future.result(DEADLINE_S)
    assert len(cluster.jobs()) == 1


def test_a_failing_worker_init_is_reported_with_its_output(cluster, tmp_path):
    options = {"worker_init": "echo the lost module >&2; exit 9", "max_blocks": 1}
    with parsl.load(config(tmp_path, options)):
        error = parsl.python_app(where)().exception(DEADLINE_S)
    assert "the lost module" in str(error)
    assert len(cluster.jobs()) <= 3


def test_a_second_job_waits_in_a_queue_that_runs_one(make_cluster, tmp_path):
    cluster = make_cluster(policy=AURORA_POLICY._replace(kill_delay_s=2))
    options = {"scheduler_options": "#PBS -l filesystems=home:flare", "init_blocks": 2, "max_blocks": 2}
    with parsl.load(config(tmp_path, options)):
        parsl.python_app(where)().result(DEADLINE_S)
        cluster.wait_for(2, QUEUED)
        assert cluster.job(1).state == RUNNING
    for number in (1, 2):
        assert cluster.wait_for(number).state == FINISHED


def test_a_refused_job_is_an_error_that_quotes_pbs(make_cluster, tmp_path):
    cluster = make_cluster(policy=AURORA_POLICY)
    with parsl.load(config(tmp_path)):
        future = parsl.python_app(where)()
        error = future.exception(DEADLINE_S)
    assert "qsub: Resource: filesystems is required to be set." in str(error)
    assert cluster.jobs() == []


def guide_directory(home, config):
    """A directory with the guide's workflow, its program and one of its configurations."""
    programs = home / "GettingStarted" / "Examples" / "Aurora" / "affinity_gpu" / "sycl"
    programs.mkdir(parents=True)
    (programs / "hello_affinity").write_bytes((EXAMPLE / "hello_affinity").read_bytes())
    (programs / "hello_affinity").chmod(0o755)
    work = home / "work"
    work.mkdir()
    (work / "config.py").write_bytes(config.read_bytes())
    (work / "my_parsl_workflow.py").write_bytes((EXAMPLE / "my_parsl_workflow.py").read_bytes())
    return work


def reported_tiles(work):
    printed = [(work / "output" / f"hello_{number}.stdout").read_text() for number in range(12)]
    return [re.match(r"host \S+  worker \d+ of 12  tile ([0-5]\.[01]) ", each)[1] for each in printed]


def test_the_scripts_of_auroras_guide_run_unchanged(make_cluster, home):
    work = guide_directory(home, AURORA_GUIDE / "config.py")
    cluster = make_cluster(policy=AURORA_POLICY._replace(kill_delay_s=2))
    done = subprocess.run(
        [sys.executable, "my_parsl_workflow.py"],
        cwd=work, env=cluster.environment({**os.environ, "PYTHONPATH": str(SOURCES)}),
        capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("Tasks done!\n")
    assert len(reported_tiles(work)) == 12
    [job] = cluster.jobs()
    assert (job.account, job.queue, job.walltime_s, job.node_count) == ("Aurora_deployment", "debug", 1800, 1)
    assert cluster.wait_for(job.number).state == FINISHED


def test_the_guides_workflow_runs_unchanged_inside_a_job(make_cluster, home):
    work = guide_directory(home, EXAMPLE / "in_job_config.py")
    (work / "job.sh").write_text(
        "#!/bin/bash\n"
        "#PBS -A x -q debug -l select=2 -l walltime=0:30:00 -l filesystems=home -o job.out -j oe\n"
        'cd "$PBS_O_WORKDIR"; source ~/_env/bin/activate; python my_parsl_workflow.py\n'
    )
    cluster = make_cluster(policy=AURORA_POLICY._replace(kill_delay_s=2))
    submitted = subprocess.run(["qsub", "job.sh"], cwd=work, check=True, capture_output=True, text=True)
    job = cluster.wait_for(submitted.stdout, FINISHED, timeout_s=DEADLINE_S)
    printed = (work / "job.out").read_text()
    assert job.exit_status == 0, printed
    assert printed.endswith("Tasks done!\n")
    assert len(reported_tiles(work)) == 12
    assert len(cluster.jobs()) == 1
