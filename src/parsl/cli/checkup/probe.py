"""Runs worker_init on this host, in a shell like that of the job, to observe what it does."""

from __future__ import annotations

import os
import platform
import sys
from collections import defaultdict
from collections.abc import Mapping
from shlex import quote
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import NamedTuple

import parsl.version
from parsl.common.commands import CommandResult, run_command

_SCRIPT = os.path.join(os.path.dirname(__file__), "probe.sh")
_CLEAN_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
_KEPT = ("HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL")


class FailedCommand(NamedTuple):
    """A command of worker_init that failed."""

    text: str
    exit_code: int


class PythonFacts(NamedTuple):
    """A Python and the Parsl that it imports."""

    path: str
    #: Such as "3.10".
    version: str = ""
    #: Empty if Parsl cannot be imported.
    parsl_version: str = ""
    #: The output of Python if Parsl cannot be imported.
    error: str = ""


class Probe(NamedTuple):
    """What was observed."""

    #: Whether the shell reached the end of worker_init.
    has_ended: bool
    exit_code: int
    timed_out: bool
    stderr: str
    failed: tuple[FailedCommand, ...] = ()
    #: The relevant variables afterwards.
    environment: Mapping[str, str] = MappingProxyType({})
    #: The path of the launcher's program; empty if it was not found.
    program: str = ""
    #: The Python that starts the manager, and the first one on the PATH.
    own_python: PythonFacts = PythonFacts("")
    found_python: PythonFacts = PythonFacts("")
    #: The path of the first Python on the PATH before worker_init.
    python_before: str = ""
    #: The path of process_worker_pool.py; empty if it was not found.
    worker_pool: str = ""


def run_probe(worker_init: str, program: str, *, is_clean: bool, is_pbs: bool, timeout_s: float) -> Probe:
    """Run worker_init, in a fresh login shell if ``is_clean``, and observe its effects."""
    with TemporaryDirectory(prefix="parsl-doctor-") as directory:
        report = os.path.join(directory, "report")
        script = os.path.join(directory, "worker_init.sh")
        with open(script, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(_script_text(worker_init, program, report))
        result = run_command(
            ["/bin/bash", *(["-l"] if is_clean else []), script],
            timeout_s,
            env=_environment(directory, is_clean, is_pbs),
            cwd=os.path.expanduser("~") if is_clean and os.path.isdir(os.path.expanduser("~")) else None,
        )
        return read_report(report, result)


def _script_text(worker_init: str, program: str, report: str) -> str:
    root = os.path.dirname(os.path.dirname(os.path.abspath(parsl.version.__file__)))
    values = (report, program, sys.executable, root)
    with open(_SCRIPT, encoding="utf-8") as file:
        before, after = file.read().split("# --- worker_init ---\n")
    # An array, because worker_init may change the positional parameters.
    words = " ".join(quote(value) for value in values)
    return f"parsl_words=({words})\n{before}{worker_init}\n{after}"


def _environment(directory: str, is_clean: bool, is_pbs: bool) -> dict[str, str]:
    if not is_clean:
        return dict(os.environ)
    clean = {name: os.environ[name] for name in _KEPT if name in os.environ}
    if is_pbs:
        node_file = os.path.join(directory, "nodes")
        with open(node_file, "w", encoding="utf-8") as file:
            file.write(platform.node() + "\n")
        clean |= {"PBS_NODEFILE": node_file, "PBS_JOBID": "0.parsl-doctor", "PBS_O_WORKDIR": os.getcwd()}
    return {**clean, "PATH": _CLEAN_PATH, "TERM": "dumb"}


def read_report(path: str, result: CommandResult) -> Probe:
    """Read the report of the script: records of a kind and two values, each ended by a zero byte."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            words = file.read().split("\0")[:-1]
    except OSError:
        words = []
    failed: list[FailedCommand] = []
    values: defaultdict[str, tuple[str, str]] = defaultdict(lambda: ("", ""))
    for start in range(0, len(words) - 2, 3):
        kind, first, second = words[start : start + 3]
        if kind == "failed":
            failed.append(FailedCommand(second, int(first) if first.isdigit() else 1))
        else:
            values[kind] = (first, second)
    return Probe(
        has_ended="end" in values,
        exit_code=result.exit_code,
        timed_out=result.timed_out,
        stderr=result.stderr,
        failed=tuple(dict.fromkeys(failed)),
        environment={"ZE_FLAT_DEVICE_HIERARCHY": values["hierarchy"][0]},
        program=values["program"][0],
        own_python=_read_python(values["own_python"]),
        found_python=_read_python(values["found_python"]),
        python_before=values["python_before"][0],
        worker_pool=values["worker_pool"][0],
    )


def _read_python(record: tuple[str, str]) -> PythonFacts:
    path, output = record
    words = output.split()
    if len(words) == 3 and words[0] == "parsl":
        return PythonFacts(path, words[2], words[1])
    return PythonFacts(path, error=output.strip())
