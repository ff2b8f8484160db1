"""However a driver ends, none of its jobs stays with the scheduler, neither running nor queued."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from parsl.testing.schedulers.records import FINISHED, QUEUED, RUNNING
from tests.system.driver import all_gone
from tests.system.fixtures import start_driver

__all__ = ["start_driver"]

#: Two blocks on a cluster with room for one.
SCRIPT = """
    from parsl.launchers import SimpleLauncher
    from parsl.providers import PBSProProvider

    @python_app
    def busy(path):
        import time
        open(path, "w").close()
        time.sleep(1000)

    provider = PBSProProvider(
        account="x", queue="debug", walltime="0:10:00", cpus_per_node=208, launcher=SimpleLauncher(),
        worker_init="source $HOME/_env/bin/activate", init_blocks=2, min_blocks=2, max_blocks=2,
    )
    parsl.load(make_config(provider=provider, OPTIONS))
    future = busy(os.path.abspath("busy"))
    wait_for_file("end")
"""
WAYS = {
    "SIGINT": "future.result()",
    "SIGTERM": "future.result()",
    "SIGHUP": "future.result()",
    "SIGKILL": "future.result()",
    "two SIGINTs": "future.result()",
    "os._exit": "os._exit(3)",
    "sys.exit": "sys.exit(3)",
    "an exception": "raise ValueError('oops')",
    "its end": "pass",
}


def begin(cluster, start_driver, wait_until, ending, options=""):
    """Start a driver, and wait until it has a running task and a queued job."""
    driver = start_driver(SCRIPT.replace("OPTIONS", options) + f"    {ending}\n")

    def is_under_way():
        states = [job.state for job in cluster.jobs()]
        return states == [RUNNING, QUEUED] and (driver.directory / "busy").exists()

    wait_until(is_under_way, what="a running and a queued job")
    # The driver and the interchange know the job as soon as the log names it.
    wait_until(lambda: "is job 2" in (driver.directory / "r/000/parsl.log").read_text())
    return driver


def none_is_left(cluster):
    return [job.state for job in cluster.jobs()] == [FINISHED, FINISHED]


@pytest.mark.parametrize("way", WAYS)
def test_the_jobs_of_a_killed_driver_are_cancelled(make_cluster, start_driver, wait_until, way):
    cluster = make_cluster(nodes=1)
    driver = begin(cluster, start_driver, wait_until, WAYS[way])
    if "SIG" in way:
        number = getattr(signal, way.removeprefix("two ").removesuffix("s"))
        (driver.directory / "end").touch()
        os.kill(driver.process.pid, number)
        if way == "two SIGINTs":
            log = driver.directory / "r/000/parsl.log"
            wait_until(lambda: "cancels blocks" in log.read_text())
            os.kill(driver.process.pid, number)
    (driver.directory / "end").touch()
    assert driver.wait(60) != 0 or way == "its end"
    wait_until(lambda: none_is_left(cluster), what="the end of all jobs")
    assert not cluster.job(2).hosts, "the second job has never begun"
    wait_until(all_gone(driver), what=f"the end of {driver.family()}")


def test_a_replacement_interchange_knows_the_jobs(make_cluster, start_driver, wait_until):
    cluster = make_cluster(nodes=1)
    driver = begin(cluster, start_driver, wait_until, "future.result()")
    [interchange] = interchanges(driver)
    interchange.kill()
    wait_until(lambda: (found := interchanges(driver)) and found != [interchange], what="another interchange")
    log = driver.directory / "r/000/htex/interchange.log"
    wait_until(lambda: "the state of the lost interchange is restored" in log.read_text())
    driver.process.kill()
    wait_until(lambda: none_is_left(cluster), what="the end of all jobs")
    assert not cluster.job(2).hosts, "the second job has never begun"


def test_a_job_submitted_during_the_death_ends_on_its_own(make_cluster, start_driver, wait_until):
    """No process knows the job's id. The job ends because its manager finds no interchange."""
    cluster = make_cluster(nodes=1)
    cluster.misbehave("qsub", "slow 1")
    driver = start_driver(SCRIPT.replace("OPTIONS", "") + "    future.result()\n")
    wait_until(lambda: cluster.calls("qsub") == 1)
    driver.process.kill()
    wait_until(cluster.jobs, what="a job")
    wait_until(lambda: {job.state for job in cluster.jobs()} == {FINISHED}, what="its end")
    wait_until(all_gone(driver), what=f"the end of {driver.family()}")


def interchanges(driver):
    return [one for one in driver.family() if "HTEX interchange" in _title(one)]


def _title(process):
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""
