"""A private Slurm cluster for a test: real daemons on several simulated hosts. Needs Linux and root.

Nothing of it outlives the program that runs in it, and any number of them may run at once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support import simulated_hosts
from tests.support.private_machine import (
    PRIVATE,
    as_user,
    build_machine,
    on_host,
    run_as_init,
    run_in_namespaces,
)
from tests.support.waiting import wait_until

NODES = ("n1", "n2", "n3", "n4")

#: Jobs start at once, the end of a killed one comes soon, and a request that can never be met is refused.
_CONFIGURATION = """\
ClusterName=private
SlurmctldHost=driver
SlurmUser=root
SlurmdUser=root
AuthInfo=socket={private}/munge/socket
StateSaveLocation={private}/state
SlurmdSpoolDir={private}/spool-%n
SlurmctldPidFile={private}/slurmctld.pid
SlurmdPidFile={private}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=pmi2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=1,bf_interval=1
EnforcePartLimits=ALL
ReturnToService=2
KillWait=2
JobRequeue=0
NodeName={nodes} CPUs=208 Sockets=2 CoresPerSocket=52 ThreadsPerCore=2
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE
"""
_COMMANDS = ("slurmctld", "slurmd", "munged", "sbatch", "srun", "squeue")


def why_not() -> str:
    """Return why no cluster is possible here; empty if one is."""
    missing = [name for name in _COMMANDS if shutil.which(name) is None]
    if missing:
        return f"{', '.join(missing)} not installed (Debian: slurm-wlm, munge)"
    return simulated_hosts.why_not()


def run_in_slurm(
    command: Sequence[str], directory: Path, user: str = "root", timeout_s: float = 100
) -> subprocess.CompletedProcess[str]:
    """Run a command on the login node of a new cluster with the nodes :data:`NODES`.

    Args:
        command: what to run.
        directory: its working directory. Daemons write their logs to it.
        user: who runs it.
        timeout_s: for all of it.
    """
    return run_in_namespaces(__name__, command, directory, user, timeout_s)


def start(directory: Path) -> None:
    """Start the daemons, and return when all nodes can be used."""
    configuration = PRIVATE / "slurm.conf"
    configuration.write_text(_CONFIGURATION.format(private=PRIVATE, nodes=",".join(NODES)))
    os.environ["SLURM_CONF"] = str(configuration)
    (PRIVATE / "state").mkdir()
    _start_munge()
    _start_daemon(directory / "slurmctld.log", ["slurmctld", "-D"])
    for node in NODES:
        _start_daemon(directory / f"slurmd-{node}.log", on_host(node, ["slurmd", "-D", "-N", node]))
    wait_until(_all_nodes_are_idle, 20, f"the nodes of Slurm are idle; logs in {directory}")


def _start_munge() -> None:
    place = PRIVATE / "munge"
    place.mkdir()
    key = place / "key"
    key.touch(0o600)
    key.write_bytes(os.urandom(1024))
    options = [f"--{name}-file={place / name}" for name in ("key", "pid", "seed")]
    command = ["munged", "--force", *options, f"--socket={place / 'socket'}", f"--log-file={place / 'log'}"]
    subprocess.run(command, check=True)


def _start_daemon(log: Path, command: list[str]) -> None:
    with log.open("ab") as output:
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)


def _all_nodes_are_idle() -> bool:
    listed = subprocess.run(["sinfo", "-h", "-t", "idle", "-o", "%D"], capture_output=True, check=False)
    return listed.stdout.split() == [str(len(NODES)).encode()]


def main(directory: Path, user: str, command: Sequence[str]) -> int:
    """Build the machine and the cluster, and run a command in it; returns its exit code."""
    build_machine(directory, NODES, user)
    start(directory)
    return run_as_init(as_user(user, command))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
