"""Runs one workload in a process of its own and leaves nothing of it behind."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36

#: Seconds that ended processes may take to be gone.
SWEEP_TIMEOUT_S = 10.0


#: Seconds in which a hanging workload must print its stacks.
ABORT_TIMEOUT_S = 5.0

#: The files that are kept from the directory of a failed workload.
EVIDENCE = ("stdout", "stderr", "runinfo")


class WorkloadFailed(Exception):
    """A workload returned no result; the message is the reason."""


def become_subreaper() -> None:
    """Let orphans of the workloads become children of this process, so that it can end them."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def run_workload(
    python: Path,
    workload: str,
    options: Sequence[str],
    environment: Mapping[str, str],
    timeout_s: float,
    evidence: Path,
) -> dict[str, float]:
    """Run ``benchmarks.workloads.<workload>`` in an empty directory.

    Args:
        python: interpreter of the system.
        workload: name of the module.
        options: its command line.
        environment: its environment variables.
        timeout_s: seconds after which it is ended.
        evidence: directory for its output and logs, when it fails.

    Returns:
        The values that it printed.

    Raises:
        WorkloadFailed: it ended with an error, gave no result, or was not done in time.
    """
    command = [str(python), "-m", f"benchmarks.workloads.{workload}", *options]
    # Short, because some systems make unix sockets below it.
    directory = tempfile.mkdtemp(prefix="bench-")
    try:
        return _run(command, dict(environment), directory, timeout_s)
    except WorkloadFailed:
        _keep_evidence(Path(directory), evidence)
        raise
    finally:
        _end_children()
        shutil.rmtree(directory, ignore_errors=True)


def parse_values(stdout: str) -> dict[str, float] | None:
    """The values of the last line that is a workload's result; None when there is none."""
    for line in reversed(stdout.splitlines()):
        if not line.startswith('{"values"'):
            continue
        try:
            values = json.loads(line)["values"]
        except ValueError:
            continue
        return {str(key): float(value) for key, value in values.items()}
    return None


def reason_of(stderr: str) -> str:
    """The line of a process's stderr that most likely explains the failure."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if "Error" in line or "Exception" in line]
    return (errors or lines or ["no message"])[-1][:300]


def _run(
    command: list[str], environment: dict[str, str], directory: str, timeout_s: float
) -> dict[str, float]:
    stdout_path, stderr_path = Path(directory, "stdout"), Path(directory, "stderr")
    with stdout_path.open("w") as stdout, stderr_path.open("w") as stderr:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment | {"TMPDIR": directory},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            _abort(process)
            raise WorkloadFailed(f"not done within {timeout_s:.0f} s") from None
        finally:
            process.kill()
            process.wait()
    values = parse_values(stdout_path.read_text(errors="replace"))
    if code != 0 or values is None:
        reason = reason_of(stderr_path.read_text(errors="replace"))
        raise WorkloadFailed(f"exit code {code}: {reason}")
    return values


def _abort(process: subprocess.Popen[bytes]) -> None:
    """Let a process write the stacks of its threads before it ends."""
    process.send_signal(signal.SIGABRT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(ABORT_TIMEOUT_S)


def _keep_evidence(directory: Path, evidence: Path) -> None:
    shutil.rmtree(evidence, ignore_errors=True)
    evidence.mkdir(parents=True)
    for name in EVIDENCE:
        if (directory / name).exists():
            shutil.move(directory / name, evidence / name)


def _end_children() -> None:
    """End what a workload left behind: all of it has become a child of this process."""
    deadline = time.monotonic() + SWEEP_TIMEOUT_S
    while (children := _children()) and time.monotonic() < deadline:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        for pid in children:
            os.waitpid(pid, 0)


def _children() -> list[int]:
    processes = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
    return [pid for pid in processes if _parent_of(pid) == os.getpid()]


def _parent_of(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/stat") as file:
            # The name before the closing bracket may contain anything.
            return int(file.read().rpartition(")")[2].split()[1])
    except (OSError, ValueError):
        return None
