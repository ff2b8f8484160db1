"""Functions that workers run in tests of whole runs. Workers import this module, so it imports little."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from tests.support.waiting import wait_until

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
    """Leave a file for each run of a task."""
    number = 0
    while True:
        try:
            os.close(os.open(f"{directory}/{name}.{number}", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            return
        except FileExistsError:
            number += 1


def runs(directory: Path) -> dict[str, int]:
    """The number of calls of `mark` with each name."""
    counts: dict[str, int] = {}
    for path in directory.iterdir():
        name = path.name.rpartition(".")[0]
        counts[name] = counts.get(name, 0) + 1
    return counts


def hold(started: str, release: str) -> int:
    """Write the worker's process id to `started`, and run until the file `release` exists."""
    write_whole(started, str(os.getpid()))
    wait_until(lambda: os.path.exists(release), timeout_s=1000)
    return os.getpid()


def write_whole(path: str, text: str) -> None:
    """Write a file that appears only when it is complete."""
    Path(f"{path}.new").write_text(text)
    os.rename(f"{path}.new", path)


def sleep_in_c(seconds: float) -> None:
    time.sleep(seconds)


def stubborn_family(pids: str, seconds: float) -> None:
    """Ignore SIGTERM, with a child that does too, a child in its own session, and an orphan."""
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


def show_payload(payload: bytes, *args: Any, **kwargs: Any) -> bytes:
    return repr((payload, args, kwargs)).encode()
