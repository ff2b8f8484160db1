"""A cluster that runs already: its use by address, its end, and workers without Parsl."""

from __future__ import annotations

import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import parsl
from tests.support.scripts import run_script, script_environment
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray")]

#: What the scripts below begin with.
PRELUDE = """
import os, sys, time
import parsl
from parsl import Config, python_app
from parsl.executors import RayExecutor

address = sys.argv[1]


@python_app
def double(x):
    return 2 * x


@python_app
def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.05)


def load(*executors):
    return parsl.load(Config(executors=executors))
"""

USED = """
if __name__ == "__main__":
    with load(RayExecutor(address=address), RayExecutor("second", address=address)):
        print([double(number).result() for number in range(3)])
        tasks = [wait_for("never") for _ in range(8)]
        print(all([task.cancel() for task in tasks]))
        print(double(4).result())
"""

BY_CLIENT = """
@python_app
def make(size):
    return b"x" * size


@python_app
def size_of(value):
    return len(value)


if __name__ == "__main__":
    with load(RayExecutor(address=address)):
        print([double(number).result() for number in range(3)])
        large = make(2_000_000)
        print(size_of(large).result(), len(large.result()))
        tasks = [wait_for("never") for _ in range(4)]
        print(all([task.cancel() for task in tasks]))
        try:
            double(1, parsl_resource_specification={"cores": 99})
        except Exception as error:
            print(type(error).__name__)
"""

ENDS = """
if __name__ == "__main__":
    with load(RayExecutor(address=address)):
        double(1).result()
        tasks = [wait_for("never") for _ in range(100)]
        os.kill(int(sys.argv[2]), 9)
        kinds = {type(task.exception()).__name__ for task in tasks}
        # Some may fail because their node has ended, before the loss of the whole cluster is known.
        print(kinds <= {"BadStateException", "ManagerLost"} or kinds, len(tasks))
"""

WITHOUT_PARSL = """
if __name__ == "__main__":
    options = {"runtime_env": {"py_executable": sys.argv[2]}}
    with load(RayExecutor(address=address, init_options=options)):
        print(type(double(1).exception()).__name__, double(1).exception())
"""


class Head(NamedTuple):
    process: subprocess.Popen[bytes]
    address: str


#: On a busy machine a node may take longer to start than Ray allows, which is half a minute.
START_ATTEMPTS = 3
VARIABLES = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
#: Keeps Ray from replacing the address of loopback.
ON_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    """A cluster that ``ray start`` has started on loopback, where Ray does not look for one."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="ray-test-") as parent:
        for attempt in range(START_ATTEMPTS):
            head = start_head(Path(parent, str(attempt)))
            if head.process.poll() is None:
                break
        try:
            yield head
        finally:
            head.process.terminate()
            head.process.wait(60)


def start_head(directory: Path) -> Head:
    """Start a cluster, and wait until it accepts connections or has ended."""
    directory.mkdir()
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--port=0"]
    command += ["--num-cpus=2", "--include-dashboard=false", "--disable-usage-stats"]
    command += [f"--temp-dir={directory}", "--node-ip-address=127.0.0.1"]
    with (directory / "head.log").open("wb") as log:
        process = subprocess.Popen(
            command, env=script_environment(**VARIABLES), stdout=log, stderr=log, start_new_session=True
        )
    note = directory / "ray_current_cluster"
    wait_until(
        lambda: process.poll() is not None or note.exists(),
        timeout_s=120,
        what="the start of the cluster",
    )
    return Head(process, note.read_text() if note.exists() else "")


def run(directory: Path, script: str, *arguments: str) -> str:
    """Run a script in a directory, and return what it prints."""
    return run_script(directory, PRELUDE + script, *arguments, **VARIABLES).output


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def is_listening(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def test_two_executors_use_it_and_leave_it(tmp_path: Path, head: Head) -> None:
    assert run(tmp_path, USED, head.address) == "[0, 2, 4]\nTrue\n8\n"
    assert head.process.poll() is None


def test_a_ray_client(tmp_path: Path, head: Head) -> None:
    port = free_port()
    # Without Ray's proxy, which starts a server for each client, and often fails on a busy machine.
    command = [sys.executable, "-m", "ray.util.client.server", "--mode=specific-server"]
    command += ["--host=127.0.0.1", f"--port={port}", f"--address={head.address}"]
    with (tmp_path / "server.log").open("wb") as log:
        environment = script_environment(**VARIABLES, **ON_LOOPBACK)
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        wait_until(lambda: is_listening(port), timeout_s=120, what="the start of the server")
        printed = run(tmp_path, BY_CLIENT, f"ray://127.0.0.1:{port}")
    finally:
        server.terminate()
        server.wait(60)
    assert printed == "[0, 2, 4]\n2000000 2000000\nTrue\nInvalidResourceSpecification\n"


@pytest.mark.skipif(
    Path(parsl.__file__).is_relative_to(sysconfig.get_path("purelib")),
    reason="workers find Parsl next to Ray, unless it is installed in editable form",
)
def test_a_worker_without_parsl(tmp_path: Path, head: Head) -> None:
    import ray

    python = getattr(sys, "_base_executable", sys.executable)
    bare = f"env PYTHONPATH={Path(ray.__file__).parents[1]} {python}"
    printed = run(tmp_path, WITHOUT_PARSL, head.address, bare)
    assert printed.startswith("EngineMismatch")
    assert "pip install PATH" in printed


def test_it_ends_while_tasks_are_out(tmp_path: Path, head: Head) -> None:
    import psutil

    children = psutil.Process(head.process.pid).children()
    (gcs,) = [child.pid for child in children if child.name() == "gcs_server"]
    printed = run(tmp_path, ENDS, head.address, str(gcs))
    assert printed == "True 100\n"
    wait_until(lambda: head.process.poll() is not None, what="the end of the cluster")
