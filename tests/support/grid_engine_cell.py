"""A private Grid Engine cell for a test: real daemons on several simulated hosts. Needs Linux and root.

Nothing of it outlives the program that runs in it, and any number of them may run at once: it is made where
Debian's package has its own, in file systems that are seen in there only.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support import simulated_hosts
from tests.support.private_machine import (
    PRIVATE,
    USER,
    as_user,
    build_machine,
    on_host,
    run_as_init,
    run_in_namespaces,
)
from tests.support.waiting import wait_until

HOSTS = ("g1", "g2")
SLOTS = 4

_ROOT = Path("/var/lib/gridengine")
_COMMON = _ROOT / "default" / "common"
_SPOOL = Path("/var/spool/gridengine")
_TOOLS = Path("/usr/lib/gridengine")
_PACKAGED = Path("/usr/share/gridengine")
_ADMIN = "sgeadmin"
_ENVIRONMENT = {
    "SGE_ROOT": str(_ROOT),
    "SGE_CELL": "default",
    "SGE_QMASTER_PORT": "6444",
    "SGE_EXECD_PORT": "6445",
}

_BOOTSTRAP = f"""\
admin_user              {_ADMIN}
default_domain          none
ignore_fqdn             false
spooling_method         berkeleydb
spooling_lib            libspoolb
spooling_params         {_SPOOL}/spooldb
binary_path             /usr/sbin
qmaster_spool_dir       {_SPOOL}/qmaster
security_mode           none
listener_threads        2
worker_threads          2
scheduler_threads       1
"""
_EXEC_HOST = """\
hostname              {host}
load_scaling          NONE
complex_values        NONE
user_lists            NONE
xuser_lists           NONE
projects              NONE
xprojects             NONE
usage_scaling         NONE
report_variables      NONE
"""

#: One slot on each of as many hosts as a job asks for.
_PARALLEL_ENVIRONMENT = """\
pe_name               nodes
slots                 100
user_lists            NONE
xuser_lists           NONE
start_proc_args       NONE
stop_proc_args        NONE
allocation_rule       1
control_slaves        TRUE
job_is_first_task     FALSE
urgency_slots         min
accounting_summary    FALSE
qsort_args            NONE
"""


def why_not() -> str:
    """Return why no cell is possible here; empty if one is."""
    missing = [name for name in ("sge_qmaster", "sge_execd", "qconf", "qacct") if shutil.which(name) is None]
    if missing or not (_TOOLS / "spoolinit").exists():
        return (
            f"Grid Engine ({', '.join(missing)}) not installed "
            "(Debian: gridengine-master, gridengine-exec, gridengine-client)"
        )
    return simulated_hosts.why_not()


def run_in_grid_engine(
    command: Sequence[str], directory: Path, timeout_s: float = 100
) -> subprocess.CompletedProcess[str]:
    """Run a command on the login host of a new cell, as a user: root's jobs are refused.

    Args:
        command: what to run.
        directory: its working directory. It is the user's afterwards.
        timeout_s: for all of it.
    """
    return run_in_namespaces(__name__, command, directory, USER, timeout_s)


def start() -> None:
    """Start the daemons, and return when all hosts can be used."""
    os.environ.update(_ENVIRONMENT)
    (PRIVATE / "tmp").mkdir()
    (PRIVATE / "tmp").chmod(0o1777)
    _make_cell()
    _start_daemon("qmaster", ["sge_qmaster"])
    wait_until(lambda: _qconf("-sconf").returncode == 0, 20, "Grid Engine's qmaster answers")
    _configure()
    for host in HOSTS:
        _start_daemon(f"execd-{host}", on_host(host, ["sge_execd"]))
    wait_until(_all_hosts_are_up, 40, "the hosts of Grid Engine are up")


def _make_cell() -> None:
    for place in (_ROOT / "default", _SPOOL):
        place.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "cell", place], check=True)
    for place in (_COMMON, _SPOOL / "spooldb", _SPOOL / "qmaster", _SPOOL / "execd"):
        place.mkdir()
    (_COMMON / "bootstrap").write_text(_BOOTSTRAP)
    (_COMMON / "act_qmaster").write_text("driver\n")
    resources = _PACKAGED / "util" / "resources"
    _tool("spoolinit", "berkeleydb", "libspoolb", _SPOOL / "spooldb", "init")
    _tool("spooldefaults", "configuration", _global_configuration())
    _tool("spooldefaults", "complexes", resources / "centry")
    _tool("spooldefaults", "usersets", resources / "usersets")
    _tool("spooldefaults", "managers", _ADMIN)
    for place in (_ROOT / "default", _SPOOL):
        subprocess.run(["chown", "-R", f"{_ADMIN}:{_ADMIN}", place], check=True)


def _global_configuration() -> Path:
    """The package's own, but with accounts of jobs that are written at once."""
    text = (_PACKAGED / "default-configuration").read_text()
    text = text.replace("flush_time=00:00:15", "flush_time=00:00:00 accounting_flush_time=00:00:00")
    return _write("configuration", text)


def _configure() -> None:
    _qconf("-as", "driver", check=True)
    for host in HOSTS:
        _qconf("-Ae", _write(host, _EXEC_HOST.format(host=host)), check=True)
    schedule = _qconf("-ssconf", check=True).stdout
    schedule = re.sub(r"schedule_interval\s.*", "schedule_interval 0:0:1", schedule)
    schedule = re.sub(r"(flush_\w+_sec)\s.*", r"\1 1", schedule)
    _qconf("-Msconf", _write("schedule", schedule), check=True)
    _qconf("-Ap", _write("environment", _PARALLEL_ENVIRONMENT), check=True)
    _qconf("-Aq", _write("queue", _queue()), check=True)


def _queue() -> str:
    """The queue that Grid Engine proposes, with all hosts and their slots."""
    text = _qconf("-sq", check=True).stdout
    changes = {
        "qname": "all.q",
        "hostlist": " ".join(HOSTS),
        "slots": str(SLOTS),
        "pe_list": "nodes",
        "load_thresholds": "NONE",
        "tmpdir": str(PRIVATE / "tmp"),
    }
    for name, value in changes.items():
        text = re.sub(rf"^{name}\s.*$", f"{name} {value}", text, flags=re.MULTILINE)
    return text


def _all_hosts_are_up() -> bool:
    listed = subprocess.run(["qstat", "-f"], capture_output=True, text=True, check=False).stdout
    lines = [line.split() for line in listed.splitlines() if line.startswith("all.q@")]
    return len(lines) == len(HOSTS) and all(len(words) == 5 and words[3] != "-NA-" for words in lines)


def _write(name: str, text: str) -> Path:
    path = PRIVATE / f"cell-{name}"
    path.write_text(text)
    return path


def _tool(name: str, *arguments: object) -> None:
    subprocess.run([_TOOLS / name, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def _qconf(*arguments: object, check: bool = False) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(["qconf", *map(str, arguments)], capture_output=True, text=True, check=False)
    if check and result.returncode != 0:
        raise RuntimeError(f"qconf {arguments}: {result.stdout}{result.stderr}")
    return result


def _start_daemon(name: str, command: list[str]) -> None:
    """Start a daemon that stays in the foreground. Jobs see its environment, so there is little in it."""
    environment = {"PATH": os.environ["PATH"], **_ENVIRONMENT, "SGE_ND": "1"}
    with (PRIVATE / f"{name}.log").open("ab") as output:
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)


def main(directory: Path, user: str, command: Sequence[str]) -> int:
    """Build the machine and the cell, and run a command in it; returns its exit code."""
    build_machine(directory, HOSTS, user)
    start()
    return run_as_init(as_user(user, command))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
