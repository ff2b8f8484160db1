"""The engines of the CCTools on this machine: Work Queue of its own Debian, TaskVine of a newer one.

Run this module to download TaskVine into ``.engines/``, as continuous integration does: the tests then find
it there.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from parsl.errors import OptionalModuleMissing
from parsl.executors import WorkQueueExecutor
from parsl.executors.cctools.executor import CCToolsExecutor
from parsl.executors.cctools.interpreters import VARIABLE, find_interpreter
from parsl.executors.taskvine import TaskVineExecutor
from tests.support.engine_environments import DIRECTORY, Unavailable


def _is_missing(executor: type[CCToolsExecutor]) -> bool:
    """Return whether an engine's worker is not on the PATH, or no Python has its library."""
    if shutil.which(executor.tool) is None:
        return True
    try:
        find_interpreter(executor.modules, executor.tool, "a test", executor.remedy)
    except OptionalModuleMissing:
        return True
    return False


#: A test with this mark needs Work Queue.
needs_work_queue = pytest.mark.skipif(
    _is_missing(WorkQueueExecutor),
    reason="Work Queue is missing: apt-get install coop-computing-tools python3-workqueue",
)

_SUITE = "trixie"
_PACKAGES = ("coop-computing-tools", "python3-workqueue", "python3-cloudpickle")
_LIMIT_S = 250.0
_APT_CONFIGURATION = """\
Dir::State "{root}/apt";
Dir::State::lists "{root}/apt/lists";
Dir::State::status "{root}/apt/status";
Dir::Cache "{root}/apt/cache";
Dir::Etc::sourcelist "{root}/apt/sources.list";
Dir::Etc::sourceparts "-";
APT::Architecture "amd64";
APT::Sandbox::User "root";
"""
#: Programs of that Debian run with its own loader and libraries, so that no root directory has to change.
_PROGRAM = """\
#!/bin/sh
{before}exec {root}/files/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 \
--library-path {root}/files/usr/lib/x86_64-linux-gnu {root}/files/usr/bin/{name} "$@"
"""


def use_task_vine(factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put TaskVine on the PATH of a test. If this machine has none, take it from Debian 13's packages.

    Skips the test, with the reason, where that is not possible.
    """
    if not _is_missing(TaskVineExecutor):
        return
    note = _directory_of_run(factory) / "no-task-vine"
    try:
        if note.exists():
            raise Unavailable(note.read_text())
        programs = task_vine_programs()
    except Unavailable as error:
        note.write_text(str(error))
        pytest.skip(str(error))
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv(VARIABLE, f"{programs}/python3 -W ignore")


def _directory_of_run(factory: pytest.TempPathFactory) -> Path:
    """Return the directory of all processes of this test run."""
    base = factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


def task_vine_programs() -> Path:
    """Return the directory with the programs of Debian 13's TaskVine, which is made if it is not there.

    Raises:
        Unavailable: It cannot be made; the message has the reason.
    """
    DIRECTORY.mkdir(exist_ok=True)
    root = DIRECTORY / "task-vine"
    with open(f"{root}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # workers of pytest-xdist start at the same time
        if not (root / "bin").exists():
            _install(root)
    return root / "bin"


def _install(root: Path) -> None:
    if shutil.which("apt-get") is None or os.uname().machine != "x86_64":
        raise Unavailable("TaskVine comes from Debian's packages for x86_64, and there is no apt-get here")
    if reason := _unpack(root):
        raise Unavailable(f"Debian 13's packages of TaskVine cannot be obtained: {reason}")
    programs = {"python3": "python3.13", "vine_worker": "vine_worker", "vine_factory": "vine_factory"}
    (root / "new").mkdir(exist_ok=True)
    for program, name in programs.items():
        before = f"PYTHONHOME={root}/files/usr " if program == "python3" else ""
        (root / "new" / program).write_text(_PROGRAM.format(root=root, name=name, before=before))
        (root / "new" / program).chmod(0o755)
    (root / "new").rename(root / "bin")


def _unpack(root: Path) -> str:
    """Download the packages and unpack them; return why that has failed, or nothing."""
    for name in ("apt/lists/partial", "apt/cache/archives/partial", "files"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "apt/status").touch()
    key = "/usr/share/keyrings/debian-archive-keyring.gpg"
    source = f"deb [signed-by={key}] http://deb.debian.org/debian {_SUITE} main\n"
    (root / "apt/sources.list").write_text(source)
    (root / "apt/apt.conf").write_text(_APT_CONFIGURATION.format(root=root))
    environment = {**os.environ, "APT_CONFIG": f"{root}/apt/apt.conf"}
    install = ["apt-get", "install", "-y", "--no-install-recommends", "--download-only", *_PACKAGES]
    commands = [["apt-get", "update"], install]
    commands.append(
        ["sh", "-ec", f"for f in {root}/apt/cache/archives/*.deb; do dpkg-deb -x $f {root}/files; done"]
    )
    for command in commands:
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=_LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return f"{command[0]} took more than {_LIMIT_S:g} s"
        if done.returncode:
            return f"{' '.join(command[:2])}: {done.stderr.strip()[-300:]}"
    return ""


if __name__ == "__main__":
    try:
        print(task_vine_programs())
    except Unavailable as error:  # the tests that need it are skipped
        print(error)
