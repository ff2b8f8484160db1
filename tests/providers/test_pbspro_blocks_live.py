"""Blocks and their tasks on the stand-in for PBS: refused, held, at their walltime."""

from __future__ import annotations

import subprocess
import time

import pytest

import parsl
from parsl.executors.blocks.notices import BlocksWarning
from parsl.executors.errors import BadStateException, InvalidResourceSpecification
from parsl.executors.high_throughput.errors import ManagerLost
from parsl.jobs.states import JobState
from parsl.providers.errors import SubmitException
from parsl.testing.schedulers import Policy
from parsl.testing.schedulers.records import FINISHED, QUEUED, RUNNING
from tests.providers.pbs_jobs import DEADLINE_S, config, wait_for_lines
from tests.providers.pbs_tasks import kill_manager, run_until, wait_for, where

pytestmark = pytest.mark.slow


def wait_for_job(wait_until, cluster, number, *states):
    """Wait until a job has been submitted, and then until it has one of these states or is finished."""
    wait_until(lambda: len(cluster.jobs()) >= number, DEADLINE_S)
    return cluster.wait_for(number, *states)


# Submitting


def test_load_does_not_wait_for_a_slow_scheduler(cluster, tmp_path):
    cluster.misbehave("qsub", "slow 8")
    began_s = time.monotonic()
    with parsl.load(config(tmp_path)):
        assert time.monotonic() - began_s < 7
        assert parsl.python_app(where)().result(DEADLINE_S)
    assert len(cluster.jobs()) == 1


def test_the_first_job_waits_for_no_timer(cluster, tmp_path, wait_until):
    with parsl.load(config(tmp_path, strategy_period=1000)):
        wait_for_job(wait_until, cluster, 1, RUNNING)


def test_a_job_that_is_being_submitted_at_the_end_is_deleted(cluster, tmp_path, wait_until):
    cluster.misbehave("qsub", "slow 2")
    with parsl.load(config(tmp_path)):
        wait_until(lambda: cluster.calls("qsub") == 1)
    if cluster.jobs():
        assert cluster.wait_for(1).state == FINISHED


def test_a_permanent_refusal_quotes_pbs_and_is_not_retried(cluster, tmp_path):
    cluster.misbehave("qsub", "refuse qsub: Unknown queue")
    with parsl.load(config(tmp_path, {"init_blocks": 3, "max_blocks": 3})):
        error = parsl.python_app(where)().exception(DEADLINE_S)
    assert isinstance(error, BadStateException)
    assert isinstance(error.exception, SubmitException)
    assert "Unknown queue" in str(error)
    assert cluster.calls("qsub") == 1


def test_a_temporary_failure_is_retried(cluster, tmp_path):
    cluster.misbehave("qsub", "server-down", times=2)
    with parsl.load(config(tmp_path)):
        assert parsl.python_app(where)().result(DEADLINE_S)
    assert len(cluster.jobs()) == 1


def test_an_unresponsive_scheduler_gets_no_more_jobs_than_max_blocks(cluster, tmp_path):
    for command in ("qstat", "qdel"):
        cluster.misbehave(command, "hang")
    options = {"init_blocks": 2, "max_blocks": 2, "cmd_timeout": 5}
    with parsl.load(config(tmp_path, options)):
        apps = [parsl.python_app(where)() for _ in range(50)]
        assert len({app.result(DEADLINE_S) for app in apps}) <= 2
        cluster.behave("qstat", "qdel")
    assert len(cluster.jobs()) == 2


# Jobs that do not start


def test_a_held_job_causes_a_warning(cluster, tmp_path, wait_until):
    cluster.set_scheduling(False)
    with parsl.load(config(tmp_path)) as kernel:
        future = parsl.python_app(where)()
        wait_until(cluster.jobs)
        executor = kernel.executors["htex"]

        def hold_the_job_until_the_warning() -> None:
            cluster.hold(1, by="o", comment="the disks are being repaired")
            wait_until(lambda: "1 shown" in repr(executor.blocks.notices), 60)

        with pytest.warns(BlocksWarning, match="job 1.* will not start while .* held by an operator"):
            hold_the_job_until_the_warning()
        assert "held by an operator" in executor.status_facade["0"].message
        cluster.release(1)
        cluster.set_scheduling(True)
        assert future.result(DEADLINE_S)


# Jobs that end


def test_a_failing_worker_init_is_reported_soon_after_the_job_ends(cluster, tmp_path, wait_until):
    options = {"worker_init": "sleep 8; echo the lost module >&2; exit 9"}
    with parsl.load(config(tmp_path, options)):
        future = parsl.python_app(where)()
        wait_for_job(wait_until, cluster, 1)
        ended_s = time.monotonic()
        error = future.exception(DEADLINE_S)
        assert time.monotonic() - ended_s < 30
    assert "the lost module" in str(error)
    assert "EXIT CODE: 9" in str(error)


def test_tasks_of_a_deleted_job_soon_run_in_the_next(cluster, tmp_path, wait_until):
    marker, runs = tmp_path / "go", tmp_path / "runs"
    with parsl.load(config(tmp_path, retries=0)):
        tasks = [parsl.python_app(run_until)(str(marker), str(runs)) for _ in range(2)]
        first, _ = wait_for_lines(wait_until, runs, 2)
        subprocess.run(["qdel", first], check=True)
        wait_for_job(wait_until, cluster, 2, RUNNING)
        marker.touch()  # only now: before, the tasks might complete in the first job, which takes time to end
        began_s = time.monotonic()
        assert first not in {task.result(DEADLINE_S) for task in tasks}
        assert time.monotonic() - began_s < 30


def test_a_manager_lost_with_its_job_is_reported_with_the_end_of_the_job(cluster, tmp_path):
    options = {"worker_init": "echo something went wrong >&2"}
    with parsl.load(config(tmp_path, options, retries=0)):
        error = parsl.python_app(kill_manager)().exception(DEADLINE_S)
    assert isinstance(error, ManagerLost)
    assert not error.is_job_end
    assert f"Its job 1.{cluster.server} has failed, exit code 137" in str(error)
    assert "something went wrong" in str(error)


# Time


def test_a_task_longer_than_every_block_is_refused(cluster, tmp_path):
    with parsl.load(config(tmp_path, {"walltime": "0:01:00"})):
        app = parsl.python_app(where)
        with pytest.raises(InvalidResourceSpecification, match="takes 61 s, but a block has 60 s"):
            app(parsl_resource_specification={"runtime_s": 61})
        assert app(parsl_resource_specification={"runtime_s": 20}).result(DEADLINE_S)


def old(*numbers):
    """Shell text for worker_init that makes these jobs start five minutes into their walltime."""
    return f"""
source $HOME/_env/bin/activate
case ${{PBS_JOBID%%.*}} in {"|".join(map(str, numbers))})
    PARSL_BLOCK_STARTED=$((PARSL_BLOCK_STARTED - 300)) ;;
esac
"""


def test_a_task_with_a_runtime_waits_for_a_block_with_enough_time(cluster, tmp_path):
    with parsl.load(config(tmp_path, {"worker_init": old(1), "max_blocks": 1})):
        app = parsl.python_app(where)
        patient = app(parsl_resource_specification={"runtime_s": 450})
        assert app(parsl_resource_specification={"runtime_s": 150}).result(DEADLINE_S).startswith("1.")
        assert not patient.done()
        cluster.end_walltime(1)
        assert patient.result(DEADLINE_S).startswith("2.")
    assert len(cluster.jobs()) == 2


def test_a_task_that_no_running_block_has_time_for_gets_a_new_block(cluster, tmp_path, wait_until):
    options = {"worker_init": old(2), "init_blocks": 2, "max_blocks": 2}
    with parsl.load(config(tmp_path, options)) as kernel:
        wait_until(lambda: len(kernel.executors["htex"].connected_blocks()) == 2)
        subprocess.run(["qdel", "1"], check=True)
        cluster.wait_for(1)
        app = parsl.python_app(where)
        assert app(parsl_resource_specification={"runtime_s": 450}).result(DEADLINE_S).startswith("3.")
        assert app(parsl_resource_specification={"runtime_s": 450}).result(DEADLINE_S).startswith("3.")
    assert len(cluster.jobs()) == 3


def test_a_task_that_exceeds_the_whole_walltime_fails_with_the_reason(make_cluster, tmp_path, wait_until):
    # The job ends late: the task gets a whole walltime, however long its manager takes to start.
    cluster, runs = make_cluster(policy=Policy(walltime_delay_s=1000)), tmp_path / "runs"
    with parsl.load(config(tmp_path, {"walltime": "0:00:03", "max_blocks": 1}, retries=0)):
        future = parsl.python_app(run_until)(str(tmp_path / "never"), str(runs))
        wait_for_lines(wait_until, runs, 1)
        walltime_ends_s = time.monotonic() + 3
        wait_until(lambda: time.monotonic() >= walltime_ends_s)
        cluster.end_walltime(1)
        error = future.exception(DEADLINE_S)
    assert isinstance(error, ManagerLost)
    assert "the task needs a longer walltime" in str(error)
    assert "was ended at its walltime" in str(error)


# Scaling


def test_idle_blocks_are_scaled_in_one_by_one_and_the_busy_one_is_kept(cluster, tmp_path, wait_until):
    markers = [tmp_path / f"go{number}" for number in range(4)]
    options = {"init_blocks": 0, "max_blocks": 2}
    scaling = {"strategy": "htex_auto_scale", "max_idletime": 1.0, "strategy_period": 0.2}
    with parsl.load(config(tmp_path, options, **scaling)) as kernel:
        tasks = [parsl.python_app(wait_for)(str(marker)) for marker in markers]
        wait_until(lambda: len(kernel.executors["htex"].connected_blocks()) == 2)
        markers[0].touch()
        kept_job = tasks[0].result(DEADLINE_S)
        for marker in markers[1:3]:
            marker.touch()
        jobs = [task.result(DEADLINE_S) for task in tasks[1:3]]
        wait_until(lambda: sum(job.state == RUNNING for job in cluster.jobs()) == 1, 30)
        [left] = [job for job in cluster.jobs() if job.state == RUNNING]
        markers[3].touch()
        assert tasks[3].result(DEADLINE_S).startswith(f"{left.number}.")
        assert len({kept_job, *jobs}) <= 2
        wait_until(lambda: all(job.state == FINISHED for job in cluster.jobs()), 30)
    assert len(cluster.jobs()) == 2


def test_few_queries_are_made_while_nothing_changes(cluster, tmp_path, wait_until):
    with parsl.load(config(tmp_path)) as kernel:
        parsl.python_app(where)().result(DEADLINE_S)
        wait_until(lambda: kernel.executors["htex"].status_facade["0"].state is JobState.RUNNING)
        before, began_s = cluster.calls("qstat"), time.monotonic()
        wait_until(lambda: time.monotonic() - began_s >= 6)
        assert cluster.calls("qstat") - before <= 3


def test_no_queued_job_starts_on_nodes_released_by_the_shutdown(make_cluster, tmp_path, wait_until):
    cluster = make_cluster(nodes=1)
    cluster.misbehave("qdel", "slow 1")
    with parsl.load(config(tmp_path, {"init_blocks": 2, "max_blocks": 2})):
        parsl.python_app(where)().result(DEADLINE_S)
        wait_for_job(wait_until, cluster, 2, QUEUED)
    assert cluster.wait_for(2).started_s == 0
    assert cluster.wait_for(1).started_s > 0


def test_the_shutdown_is_quick(cluster, tmp_path):
    with parsl.load(config(tmp_path)):
        parsl.python_app(where)().result(DEADLINE_S)
        ends_s = time.monotonic()
    assert time.monotonic() - ends_s < 20
    assert len(cluster.jobs()) == 1
