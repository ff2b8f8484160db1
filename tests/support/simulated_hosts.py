"""Several hosts on one machine, for tests of what crosses a network. Linux, root.

Each host is a network and a host-name namespace, joined by a bridge; they share files and processes. All of
it lives in namespaces of one child process and goes with that process, whatever happens. Host names are
resolved by a private /etc/hosts; `enter HOST COMMAND` on the PATH runs a command on a host, as ssh would, and
MPICH's launcher is set to use it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import parsl

#: What a process is started with, by unshare(1), to be able to build hosts.
NAMESPACES = ["--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"]
_DRIVER = "driver"
_NETWORK = "10.97.0"


def why_not() -> str:
    """Return why hosts cannot be simulated here; empty if they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [name for name in ("ip", "unshare", "nsenter") if shutil.which(name) is None]
    if missing:
        return f"{', '.join(missing)} not installed (Debian: iproute2, util-linux)"
    probe = subprocess.run(["unshare", *NAMESPACES, "true"], capture_output=True, check=False)
    return (
        "" if probe.returncode == 0 else f"namespaces are not allowed here: {probe.stderr.decode().strip()}"
    )


def run_among_hosts(
    script: str, hosts: Sequence[str], directory: Path, timeout_s: float = 100
) -> subprocess.CompletedProcess[str]:
    """Run a Python script on the host 'driver', next to other hosts.

    Args:
        script: the program's text. It finds the hosts' names in a node file, $PBS_NODEFILE.
        hosts: names of the other hosts.
        directory: for the node file, the script and its working directory.
        timeout_s: for all of it.
    """
    sources, tests = Path(parsl.__file__).absolute().parents[1], Path(__file__).absolute().parents[2]
    program = directory / "program.py"
    program.write_text(script)
    command = [sys.executable, __file__, str(directory), *hosts]
    return subprocess.run(
        ["unshare", *NAMESPACES, *command],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        cwd=directory,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(sources), str(tests)])},
    )


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def _on(pid: int, *command: str) -> None:
    _run("nsenter", "-t", str(pid), "-n", "-u", "--", *command)


def build_hosts(directory: Path, hosts: Sequence[str]) -> None:
    """Make this process's namespaces the host 'driver', with other hosts around it.

    Each of them has a file HOST.pid in ``directory``, with the id of a process on it.
    """
    _run("ip", "link", "set", "lo", "up")
    _run("hostname", _DRIVER)
    _run("ip", "link", "add", "br0", "type", "bridge")
    _run("ip", "addr", "add", f"{_NETWORK}.1/24", "dev", "br0")
    _run("ip", "link", "set", "br0", "up")
    table = ["127.0.0.1 localhost", f"{_NETWORK}.1 {_DRIVER}"]
    for number, host in enumerate(hosts, start=10):
        holder = subprocess.Popen(["unshare", "--net", "--uts", "sleep", "infinity"])
        _wait_for_namespace(holder.pid)
        _on(holder.pid, "hostname", host)
        _run(
            "ip",
            "link",
            "add",
            f"v{number}",
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            str(holder.pid),
        )
        _run("ip", "link", "set", f"v{number}", "master", "br0", "up")
        _on(holder.pid, "ip", "addr", "add", f"{_NETWORK}.{number}/24", "dev", "eth0")
        _on(holder.pid, "ip", "link", "set", "eth0", "up")
        _on(holder.pid, "ip", "link", "set", "lo", "up")
        (directory / f"{host}.pid").write_text(str(holder.pid))
        (directory / f"{host}.link").write_text(f"v{number}")
        table.append(f"{_NETWORK}.{number} {host}")
    (directory / "hosts").write_text("\n".join(table) + "\n")
    _run("mount", "--bind", str(directory / "hosts"), "/etc/hosts")
    (directory / "nodes").write_text("".join(f"{host}\n" for host in hosts))


def _wait_for_namespace(pid: int) -> None:
    ours = os.readlink("/proc/self/ns/net")
    deadline = time.monotonic() + 10
    while os.readlink(f"/proc/{pid}/ns/net") == ours:
        if time.monotonic() > deadline:
            raise TimeoutError("a host's network namespace did not appear")
        os.sched_yield()


def _write_enter(directory: Path) -> Path:
    """A stand-in for ssh: `enter HOST COMMAND...` runs a shell command on a host."""
    enter = directory / "bin" / "enter"
    enter.parent.mkdir()
    enter.write_text(
        '#!/bin/sh\nwhile [ "$1" != "${1#-}" ]; do shift; done  # options of ssh\'s\n'
        f'host=$1; shift\nexec nsenter -t "$(cat {directory}/$host.pid)" -n -u -- /bin/sh -c "$*"\n'
    )
    enter.chmod(0o755)
    return enter


def _main(directory: Path, hosts: Sequence[str]) -> int:
    build_hosts(directory, hosts)
    enter = _write_enter(directory)
    environment = {
        **os.environ,
        "PATH": f"{enter.parent}:{os.environ['PATH']}",
        "PBS_NODEFILE": str(directory / "nodes"),
        "HYDRA_LAUNCHER": "ssh",
        "HYDRA_LAUNCHER_EXEC": str(enter),
    }
    return subprocess.run([sys.executable, "program.py"], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1]), sys.argv[2:]))
