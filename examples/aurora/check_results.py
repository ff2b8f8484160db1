"""Checks what the demonstration left behind: every result there, every worker in its place, nothing running.

python check_results.py ensemble LOG OUTPUT   12 greetings and 12 affinities, from most workers
python check_results.py sweep LOG OUTPUT      the summary and the picture
python check_results.py processes MARK        no process with PARSL_DEMO=MARK in its environment
    python check_results.py stop MARK             end those that do not end by themselves
"""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from aurora_cpus import expected_cpus

TILES = [f"{gpu}.{tile}" for gpu in range(6) for tile in range(2)]
AFFINITY = re.compile(r"host (\S+)  worker (\d+) of (\d+)  tile (\S+)  cpus (\S+)")
#: On a busy machine a worker may start so late that another has taken its task.
MAX_WORKERS = 9
PROCESSES_END_WITHIN_S = 15
PROCESSES_MAY_CLEAN_UP_S = 3.0


def main(what: str, *arguments: str) -> None:
    checks: dict[str, Callable[..., str]] = {
        "ensemble": check_ensemble,
        "sweep": check_sweep,
        "processes": check_processes,
        "stop": stop_processes,
    }
    print(checks[what](*arguments))


def check_ensemble(log: str, output: str) -> str:
    text = Path(log).read_text()
    for line in (
        "hello_world tasks complete",
        "hello_affinity_results[0]=0",
        "Hello Aurora 0",
        "Tasks done!",
    ):
        require(line in text, f"{line!r} is not in {log}")
    seen: dict[int, str] = {}
    for number in range(12):
        file = Path(output) / f"hello_{number}.stdout"
        require(file.exists(), f"{file} is missing")
        found = AFFINITY.findall(file.read_text())
        require(len(found) == 1, f"{file} has {len(found)} results: {file.read_text()!r}")
        _host, rank, count, tile, cpus = found[0]
        require(count == "12", f"{file}: there are {count} workers, not 12")
        require(tile == TILES[int(rank)], f"{file}: worker {rank} has tile {tile}, not {TILES[int(rank)]}")
        expected = expected_cpus(int(rank))
        require(cpus == expected, f"{file}: worker {rank} runs on CPUs {cpus}, not {expected}")
        seen[int(rank)] = tile
    require(len(seen) >= MAX_WORKERS, f"only workers {sorted(seen)} ran a task")
    return f"24 tasks; {len(seen)} of 12 workers seen, each on its own tile and its CPUs"


def check_sweep(log: str, output: str) -> str:
    summary = re.search(r"\d+ tasks on \d+ workers in .*", Path(log).read_text())
    require(summary is not None, f"{log} has no summary")
    picture = Path(output) / "oscillator.svg"
    require(picture.exists() and picture.read_text().endswith("</svg>\n"), f"{picture} is not complete")
    return summary[0] if summary else ""


def check_processes(mark: str) -> str:
    deadline = time.monotonic() + PROCESSES_END_WITHIN_S
    while left := processes_with(f"PARSL_DEMO={mark}".encode()):
        require(time.monotonic() < deadline, f"still running: {left}")
        time.sleep(0.05)
    return "no process left over"


def stop_processes(mark: str) -> str:
    variable = f"PARSL_DEMO={mark}".encode()
    deadline = time.monotonic() + PROCESSES_MAY_CLEAN_UP_S
    while (found := processes_with(variable)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in found:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return f"{len(found)} processes ended"


def processes_with(variable: bytes) -> dict[int, str]:
    """Return the command lines of processes with ``variable`` in their environment, less our ancestors."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) in ancestors():
            continue
        try:
            if variable in (entry / "environ").read_bytes().split(b"\0"):
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return found


def ancestors() -> set[int]:
    line = set()
    pid = os.getpid()
    while pid > 1:
        line.add(pid)
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return line


def require(is_so: bool, otherwise: str) -> None:
    if not is_so:
        sys.exit(f"FAILED: {otherwise}")


if __name__ == "__main__":
    main(*sys.argv[1:])
