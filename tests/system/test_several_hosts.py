"""Managers on other hosts: over a network, with keys, and with cables that are pulled."""

import shutil

import pytest

from tests.support.simulated_hosts import run_among_hosts, why_not

pytestmark = [
    pytest.mark.mpi,
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "hosts can be simulated"),
    pytest.mark.skipif(shutil.which("mpiexec") is None, reason="mpiexec is not installed (Debian: mpich)"),
]

HOSTS = ["north", "east", "south"]

PRELUDE = """
import os, subprocess, sys, tempfile
import parsl
from parsl import Config, HighThroughputExecutor, python_app
from parsl.launchers import MpiExecLauncher
from parsl.providers import LocalProvider

@python_app
def where(directory, needed):
    import os, platform, time
    open(os.path.join(directory, platform.node() + str(os.getpid())), "w").close()
    deadline = time.monotonic() + 30
    while len(os.listdir(directory)) < needed and time.monotonic() < deadline:
        time.sleep(0.01)  # until workers of all hosts are at it together
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


def test_tasks_of_a_host_that_is_cut_off_run_elsewhere(tmp_path):
    script = (
        PRELUDE
        + """
meeting = tempfile.mkdtemp()
with parsl.load(config(heartbeat_period=1, heartbeat_threshold=3)) as kernel:
    tasks = [where(meeting, 7) for _ in range(6)]  # they wait for a seventh
    while len(os.listdir(meeting)) < 6:
        pass
    subprocess.run(["ip", "link", "set", open("north.link").read(), "down"], check=True)
    while len(kernel.executors["HighThroughputExecutor"].connected_managers()) > 2:
        pass
    open(os.path.join(meeting, "seventh"), "w").close()
    hosts = [task.result(timeout=40) for task in tasks]
print(sorted(set(hosts)))
"""
    )
    done = run_among_hosts(script, HOSTS, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "['east', 'south']\n", done.stdout + done.stderr
