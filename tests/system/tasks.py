"""What the tests of whole runs have workers do. Workers import this: it imports next to nothing."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

FOREVER_S = 1000.0


def add(a: int, b: int = 0) -> int:
    return a + b


def echo(value: Any) -> Any:
    return value


def worker_pid() -> int:
    return os.getpid()


def environment(*names: str) -> dict[str, str | None]:
    return {name: os.environ.get(name) for name in names}


def cpus() -> list[int]:
    return sorted(os.sched_getaffinity(0))


def mark(directory: str, name: object) -> None:
    """Leave a file that says that the task has run once more."""
    number = 0
    while True:
        try:
            os.close(os.open(f"{directory}/{name}.{number}", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            return
        except FileExistsError:
            number += 1


def runs(directory: Path) -> dict[str, int]:
    """How often `mark` was called with each name."""
    counts: dict[str, int] = {}
    for path in directory.iterdir():
        name = path.name.rpartition(".")[0]
        counts[name] = counts.get(name, 0) + 1
    return counts


def hold(started: str, release: str) -> int:
    """Run until the file `release` exists, having written the worker's process id to `started`."""
    write_whole(started, str(os.getpid()))
    while not os.path.exists(release):
        time.sleep(0.005)
    return os.getpid()


def write_whole(path: str, text: str) -> None:
    """Write a file that is there either as a whole or not at all."""
    Path(f"{path}.new").write_text(text)
    os.rename(f"{path}.new", path)


def sleep_in_c(seconds: float) -> None:
    time.sleep(seconds)


def stubborn_family(pids: str, seconds: float) -> None:
    """Be deaf to SIGTERM, with a child that is too, a grandchild in a session of its own, and an orphan."""
    import signal
    import subprocess

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["sleep", str(seconds)])
    loner = subprocess.Popen(["sleep", str(seconds)], start_new_session=True)
    shell = subprocess.run(
        ["sh", "-c", f"sleep {seconds} >/dev/null & echo $!"], stdout=subprocess.PIPE, check=True
    )
    write_whole(pids, f"{os.getpid()} {child.pid} {loner.pid} {int(shell.stdout)}")
    time.sleep(seconds)


def die_by(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(FOREVER_S)


def leave_at_once(code: int) -> None:
    os._exit(code)


def leave(code: object) -> None:
    sys.exit(code)  # type: ignore[arg-type]


def crash() -> None:
    import ctypes

    ctypes.string_at(0)
