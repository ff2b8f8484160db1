"""Facilities that differ between systems, and the whole chain with the portable ones forced."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest

import parsl
from parsl.common.system import anonymous_file, make_wakeup, nonblocking_pipe

BOTH = [pytest.param(False, id="linux", marks=pytest.mark.linux), pytest.param(True, id="portable")]

#: Names of what only Linux has.
LINUX_ONLY = re.compile(
    r'"/proc|f"/proc|/dev/shm"$|\b(SOCK_SEQPACKET|memfd_create|eventfd|select\.epoll|EPOLLIN|pidfd_open'
    r"|SO_PEERCRED|pipe2|os\.waitid|sched_setaffinity)\b|\.prctl\(",
    re.MULTILINE,
)
#: The modules that may use them, and others with their reason.
ALLOWED = {
    "common/system": "the place for them",
    "common/processes.py": "the table of processes, with psutil elsewhere",
    "common/process_facts.py": "one process, with psutil elsewhere",
    "common/mounts.py": "the table of mounts; without the file there are none",
    "executors/cctools/sockets.py": "a Python without this package may run it, next to a library for Linux",
    "executors/high_throughput/node": "each is preceded by a check that the system has it",
    "testing": "stand-ins for the schedulers of clusters",
}

SCRIPT = """
import os, signal, time
import parsl
from parsl import Config, HighThroughputExecutor, python_app

@python_app
def double(x):
    return x + x

@python_app
def leave(how):
    import os, signal
    os.kill(os.getpid(), signal.SIGKILL) if how == "signal" else os._exit(3)

@python_app
def nap(walltime=1):
    import time
    time.sleep(1000)

if __name__ == "__main__":
    with parsl.load(Config(executors=[HighThroughputExecutor(max_workers_per_node=2)])):
        print(sum(future.result() for future in [double(i) for i in range(1000)]))
        print(len(double(bytes(3_000_000)).result()))
        for future in (leave("signal"), leave("code"), nap()):
            print(type(future.exception()).__name__)
        print(double(21).result())
"""


@pytest.mark.parametrize("is_portable", BOTH)
def test_a_notification_makes_a_wakeup_readable_until_it_is_cleared(is_portable):
    wakeup = make_wakeup(is_portable)
    wakeup.notify()
    wakeup.notify()
    assert select.select([wakeup.fd], [], [], 0)[0]
    wakeup.clear()
    assert not select.select([wakeup.fd], [], [], 0)[0]
    wakeup.close()


def test_many_notifications_do_not_block():
    wakeup = make_wakeup(is_portable=True)
    for _ in range(100_000):
        wakeup.notify()
    wakeup.close()


@pytest.mark.parametrize("is_portable", BOTH)
def test_a_file_without_a_name_keeps_what_is_written(is_portable):
    fd = anonymous_file("test", is_portable)
    os.write(fd, b"text")
    assert os.pread(fd, 100, 0) == b"text"
    assert not os.get_inheritable(fd)
    os.close(fd)


def test_a_pipe_does_not_block_and_is_not_inherited():
    read, write = nonblocking_pipe()
    with pytest.raises(BlockingIOError):
        os.read(read, 1)
    assert not os.get_inheritable(read)
    os.close(read)
    os.close(write)


def test_other_modules_use_nothing_that_only_linux_has():
    root = Path(parsl.__file__).parent
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if LINUX_ONLY.search(path.read_text())
        and not any(path.relative_to(root).as_posix().startswith(allowed) for allowed in ALLOWED)
    }
    assert not found, f"use parsl.common.system in {sorted(found)}"


def test_a_run_with_the_portable_facilities(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    run = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env={**os.environ, "PARSL_PORTABLE": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=200,
    )
    printed = ["999000", "6000000", "WorkerLost", "WorkerLost", "AppTimeout", "42"]
    assert run.stdout.split() == printed, run.stderr
