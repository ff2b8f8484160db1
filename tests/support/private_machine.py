"""A private machine for a test: hosts, a user and readable files, in namespaces that end with their process.

Real schedulers are started in there, see `slurm_cluster` and `grid_engine_cell`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import parsl
from tests.support.simulated_hosts import NAMESPACES, build_hosts

#: An ordinary user that exists only in the namespaces.
USER = "alice"
_USER_ID = 4321
_REPOSITORY = Path(__file__).parents[2]
#: A file system in memory, visible only in the namespaces. Paths of sockets in it are short.
PRIVATE = Path("/mnt")


def run_in_namespaces(
    module: str, command: Sequence[str], directory: Path, user: str = "root", timeout_s: float = 100
) -> subprocess.CompletedProcess[str]:
    """Run a command in new namespaces, where a module's `main` makes things ready for it first.

    Args:
        module: its `main` is called with directory, user and command.
        command: what to run.
        directory: the command's working directory.
        user: who runs it: root or :data:`USER`.
        timeout_s: for all of it.
    """
    source = Path(parsl.__file__).absolute().parents[1]
    return subprocess.run(
        ["unshare", *NAMESPACES, sys.executable, "-m", module, str(directory), user, *command],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        cwd=directory,
        env={**os.environ, "PYTHONPATH": f"{source}:{_REPOSITORY}"},
    )


def build_machine(directory: Path, hosts: Sequence[str], user: str) -> None:
    """Build hosts and, for a user other than root, let this one read and write what it needs.

    Args:
        directory: for notes about the hosts; it will be the user's.
        hosts: names of the hosts other than the one that this runs on.
        user: who is going to use it.
    """
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "private", PRIVATE], check=True)
    notes = PRIVATE / "hosts"
    notes.mkdir()
    build_hosts(notes, hosts)
    if user != "root":
        _add_user(directory)
        _uncover([Path(sys.base_prefix), Path(sys.prefix), _REPOSITORY, directory])


def as_user(user: str, command: Sequence[str]) -> list[str]:
    """Return the command that runs ``command`` as a user."""
    if user == "root":
        return list(command)
    home = ["env", f"HOME={PRIVATE / 'home'}", f"USER={user}", f"LOGNAME={user}"]
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *home, *command]


def on_host(host: str, command: Sequence[str]) -> list[str]:
    """Return the command that runs ``command`` on another host."""
    holder = (PRIVATE / "hosts" / f"{host}.pid").read_text()
    return ["nsenter", "-t", holder, "-n", "-u", "--", *command]


def run_as_init(command: Sequence[str]) -> int:
    """Run a command, and reap orphans meanwhile: schedulers wait for zombies as for other processes.

    Returns:
        Its exit code.
    """
    child = subprocess.Popen(command)
    while True:
        pid, status = os.wait()
        if pid == child.pid:
            return os.waitstatus_to_exitcode(status)


def _add_user(directory: Path) -> None:
    home = PRIVATE / "home"
    home.mkdir()
    accounts = {
        "passwd": f"{USER}:x:{_USER_ID}:{_USER_ID}::{home}:/bin/bash\n",
        "group": f"{USER}:x:{_USER_ID}:\n",
    }
    for name, line in accounts.items():
        changed = PRIVATE / name
        changed.write_text(Path("/etc", name).read_text() + line)
        subprocess.run(["mount", "--bind", changed, f"/etc/{name}"], check=True)
    account = pwd.getpwnam(USER)
    for path in (home, directory):
        shutil.chown(path, account.pw_uid, account.pw_gid)


def _uncover(paths: Sequence[Path]) -> None:
    """Make paths accessible to all users that are inside directories which others may not enter."""
    for closed in sorted({entry for path in paths if (entry := _closed_ancestor(path)) is not None}):
        inside = [path for path in paths if closed in path.parents]
        held = [PRIVATE / f"held-{closed.name}-{number}" for number, _ in enumerate(inside)]
        for path, holder in zip(inside, held, strict=True):
            holder.mkdir()
            subprocess.run(["mount", "--bind", path, holder], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "uncovered", closed], check=True)
        for path, holder in zip(inside, held, strict=True):
            path.mkdir(parents=True, exist_ok=True)
            subprocess.run(["mount", "--bind", holder, path], check=True)


def _closed_ancestor(path: Path) -> Path | None:
    """The topmost directory on the way to ``path`` that others may not enter."""
    for ancestor in reversed(path.parents):
        if not ancestor.stat().st_mode & 0o001:
            return ancestor
    return None
