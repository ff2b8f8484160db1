"""Managers on other hosts: over a network, with keys, and with links that go down."""

import shutil

import pytest

from tests.support.simulated_hosts import run_among_hosts, why_not

pytestmark = [
    pytest.mark.slow,
    pytest.mark.mpi,
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "hosts can be simulated"),
    pytest.mark.skipif(shutil.which("mpiexec") is None, reason="mpiexec is not installed (Debian: mpich)"),
]

HOSTS = ["north", "east", "south"]

PRELUDE = """
import os, subprocess, sys, tempfile, time
import parsl
from parsl import Config, HighThroughputExecutor, python_app
from parsl.launchers import MpiExecLauncher
from parsl.providers import LocalProvider
from tests.support.waiting import wait_until

@python_app
def where(directory, needed):
    import os, platform, time
    open(os.path.join(directory, platform.node() + str(os.getpid())), "w").close()
    deadline = time.monotonic() + 30
    while len(os.listdir(directory)) < needed and time.monotonic() < deadline:
        time.sleep(0.01)  # until workers of all hosts run at the same time
    return platform.node()

def config(**options):
    provider = LocalProvider(
        nodes_per_block=3, init_blocks=1, max_blocks=1, launcher=MpiExecLauncher(overrides="-ppn 1")
    )
    options = {"max_workers_per_node": 2, "cores_per_worker": 0.01, **options}
    return Config(run_dir="runs", retries=1, executors=[HighThroughputExecutor(provider=provider, **options)])
"""


def test_an_ensemble_on_three_hosts_runs_over_an_encrypted_network(tmp_path):
    script = (
        PRELUDE
        + """
meeting = tempfile.mkdtemp()
with parsl.load(config()) as kernel:
    hosts = [task.result(timeout=40) for task in [where(meeting, 6) for _ in range(6)]]
    managers = kernel.executors["HighThroughputExecutor"].connected_managers()
    connections = subprocess.run(["ss", "-tn"], capture_output=True, text=True).stdout
print(sorted(set(hosts)), sorted(m["hostname"] for m in managers), connections.count("10.97.0.1:5"))
"""
    )
    done = run_among_hosts(script, HOSTS, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("['east', 'north', 'south'] ['east', 'north', 'south']"), done.stdout


def test_tasks_of_a_disconnected_host_run_elsewhere(tmp_path):
    script = (
        PRELUDE
        + """
meeting = tempfile.mkdtemp()
with parsl.load(config(heartbeat_period=1, heartbeat_threshold=3)) as kernel:
    tasks = [where(meeting, 7) for _ in range(6)]  # they wait for a seventh
    wait_until(lambda: len(os.listdir(meeting)) >= 6)
    subprocess.run(["ip", "link", "set", open("north.link").read(), "down"], check=True)
    wait_until(lambda: len(kernel.executors["HighThroughputExecutor"].connected_managers()) <= 2)
    open(os.path.join(meeting, "seventh"), "w").close()
    hosts = [task.result(timeout=40) for task in tasks]
print(sorted(set(hosts)))
"""
    )
    done = run_among_hosts(script, HOSTS, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "['east', 'south']\n", done.stdout + done.stderr


def test_a_cut_shorter_than_the_threshold_loses_nothing(tmp_path):
    script = (
        PRELUDE
        + """
meeting = tempfile.mkdtemp()
options = config(heartbeat_period=0.5, heartbeat_threshold=20)
options.retries = 0
with parsl.load(options) as kernel:
    htex = kernel.executors["HighThroughputExecutor"]
    tasks = [where(meeting, 7) for _ in range(6)]  # they wait for a seventh
    wait_until(lambda: len(os.listdir(meeting)) >= 6)
    before = sorted(m["manager"] for m in htex.connected_managers())
    link = open("north.link").read()
    subprocess.run(["ip", "link", "set", link, "down"], check=True)
    open(os.path.join(meeting, "seventh"), "w").close()  # north's tasks end while it is disconnected
    wait_until(lambda: sum(task.done() for task in tasks) >= 4)
    end = time.monotonic() + 3  # several heartbeats
    wait_until(lambda: time.monotonic() >= end)
    assert sum(task.done() for task in tasks) == 4
    subprocess.run(["ip", "link", "set", link, "up"], check=True)
    hosts = [task.result(timeout=60) for task in tasks]
    assert sorted(m["manager"] for m in htex.connected_managers()) == before
    assert where(meeting, 1).result(timeout=40) in hosts
print(sorted(hosts))
"""
    )
    done = run_among_hosts(script, HOSTS, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "['east', 'east', 'north', 'north', 'south', 'south']\n", done.stdout + done.stderr


def test_a_lost_host_that_reconnects_does_no_harm(tmp_path):
    script = (
        PRELUDE
        + """
import psutil
meeting = tempfile.mkdtemp()
with parsl.load(config(heartbeat_period=0.5, heartbeat_threshold=3)) as kernel:
    htex = kernel.executors["HighThroughputExecutor"]
    tasks = [where(meeting, 7) for _ in range(6)]  # they wait for a seventh
    wait_until(lambda: len(os.listdir(meeting)) >= 6)
    workers = [int(name.removeprefix("north")) for name in os.listdir(meeting) if name.startswith("north")]
    link = open("north.link").read()
    subprocess.run(["ip", "link", "set", link, "down"], check=True)
    wait_until(lambda: len(htex.connected_managers()) <= 2)
    open(os.path.join(meeting, "seventh"), "w").close()  # north ends its tasks as well: too late
    hosts = [task.result(timeout=60) for task in tasks]
    subprocess.run(["ip", "link", "set", link, "up"], check=True)
    wait_until(lambda: not any(psutil.pid_exists(pid) for pid in workers))
    assert len(htex.connected_managers()) == 2
    assert sum(task.task_record.fail_count for task in tasks) == 2
    again = {where(meeting, 1).result(timeout=40) for _ in range(20)}
print(sorted(set(hosts)), again <= {"east", "south"})
"""
    )
    done = run_among_hosts(script, HOSTS, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "['east', 'south'] True\n", done.stdout + done.stderr
