"""Whether worker_init works, and whether Parsl can be imported after it."""

from __future__ import annotations

import os
import re
import shlex
import sys

from parsl.cli.checkup.finding import ERROR, NOTE, OK, WARNING, Finding
from parsl.cli.checkup.launcher_fit import launcher_program
from parsl.cli.checkup.probe import FailedCommand, Probe, PythonFacts, run_probe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.cli.checkup.subject import Subject

_TOPIC = "worker_init"
_PYTHON = "python"
#: Commands that do on a node what they do here.
_SAME_EVERYWHERE = frozenset({"source", ".", "cd", "module", "ml", "conda", "mamba", "micromamba", "spack"})
_SOURCE = re.compile(
    r"(?:^|[;&|]|\bthen\b|\bdo\b)\s*(?:source|\.)\s+(?P<path>\"[^\"]*\"|'[^']*'|[^\s;&|]+)", re.MULTILINE
)
_MAX_STDERR_LINES = 5
#: What bash puts before its complaints about our copy of worker_init.
_BASH_PREFIX = re.compile(r"^\S*worker_init\.sh: line \d+: ")


def probe_subject(subject: Subject, timeout_s: float) -> Probe | None:
    """Run the subject's worker_init; None where jobs have none."""
    from parsl.providers import GridEngineProvider

    if subject.provider is None or not hasattr(subject.provider, "worker_init"):
        return None
    is_clean = subject.is_pbs or isinstance(subject.provider, GridEngineProvider)
    program = launcher_program(subject) or ""
    return run_probe(
        subject.worker_init, program, is_clean=is_clean, is_pbs=subject.is_pbs, timeout_s=timeout_s
    )


def check_environment(subject: Subject, probe: Probe | None, timeout_s: float) -> list[Finding]:
    """Say what worker_init does; without a probe, what its text shows."""
    if probe is None:
        return check_sources(subject.worker_init)
    if probe.timed_out:
        text = f"it has not ended within {timeout_s:g} s here. {_tail(probe.stderr)}".strip()
        return [
            Finding(
                WARNING, _TOPIC, text, "Give it longer with --timeout, or leave it out with --no-worker-init."
            )
        ]
    findings = [_failed(command, probe.stderr) for command in probe.failed]
    if not probe.has_ended:
        ends = f"it ends the job with exit code {probe.exit_code} before anything is started."
        text = f"{ends} {_tail(probe.stderr)}"
        return [*findings, Finding(ERROR, _TOPIC, text.strip())]
    if not findings and subject.worker_init.strip():
        findings = [Finding(OK, _TOPIC, "it runs here without an error")]
    return [*findings, *_check_python(subject, probe)]


def check_sources(worker_init: str) -> list[Finding]:
    """Look for the scripts that worker_init sources, as far as their paths can be told."""
    findings = []
    for match in _SOURCE.finditer(worker_init):
        try:
            [word] = shlex.split(match["path"])
        except ValueError:
            continue
        path = os.path.expanduser(os.path.expandvars(word))
        if os.path.isabs(path) and not re.search(r"[$*?`]", path) and not os.path.isfile(path):
            findings.append(Finding(ERROR, _TOPIC, f"it sources {word}, and there is no {path}."))
    return findings


def _failed(command: FailedCommand, stderr: str) -> Finding:
    words = command.text.split()
    first = words[0] if words else ""
    text = f"`{command.text}` fails with exit code {command.exit_code}, and the job goes on without it."
    if said := _said_of(words, stderr):
        text = f"{text} It says: {said}"
    if first not in _SAME_EVERYWHERE:
        return Finding(WARNING, _TOPIC, text, "It may work on the nodes: this was tried on this host.")
    if command.exit_code == 127 or (first in ("module", "ml") and "command not found" in stderr):
        return Finding(ERROR, _TOPIC, text, f"There is no command {first} in a fresh login shell here.")
    return Finding(ERROR, _TOPIC, text)


def _said_of(words: list[str], stderr: str) -> str:
    """The lines of stderr that are likely about a command: those that have its last or its first word."""
    for word in [*words[-1:], *words[:1]]:
        plain = os.path.expanduser(os.path.expandvars(word.strip("\"'")))
        about = [line for line in stderr.splitlines() if plain and plain in line]
        if about:
            return _tail("\n".join(about))
    return _tail(stderr)


def _tail(stderr: str) -> str:
    lines = [_BASH_PREFIX.sub("", line).strip() for line in stderr.splitlines() if line.strip()]
    return " / ".join(lines[-_MAX_STDERR_LINES:])


def _check_python(subject: Subject, probe: Probe) -> list[Finding]:
    from parsl.version import VERSION

    if not subject.is_htex:
        return []
    if subject.executor.launch_cmd is not None:
        return _check_launch_cmd(subject.executor.launch_cmd, probe)
    own = probe.own_python
    if own.parsl_version != VERSION:
        text = (
            f"workers are started with {own.path}, which cannot import Parsl after worker_init: {own.error}"
        )
        return [
            Finding(ERROR, _PYTHON, text, "Does worker_init set PYTHONHOME, PYTHONPATH or load a module?")
        ]
    findings = [
        Finding(OK, _PYTHON, f"workers are started with {own.path}: Python {own.version}, Parsl {VERSION}")
    ]
    if probe.failed or probe.found_python.path == probe.python_before:
        return findings
    return [*findings, *_compare(probe.found_python)]


def _compare(found: PythonFacts) -> list[Finding]:
    """The user may expect the activated environment to be that of the tasks."""
    if not found.path or _same_environment(found.path, sys.executable):
        return []
    version = (
        f"Python {found.version}, Parsl {found.parsl_version}" if found.parsl_version else "no Parsl in it"
    )
    text = (
        f"worker_init leads to {found.path} ({version}), but Python tasks run in the driver's own, "
        f"{sys.executable}: they import what is installed there."
    )
    return [
        Finding(WARNING, _PYTHON, text, "Run the script with the environment that worker_init activates.")
    ]


def _same_environment(one: str, other: str) -> bool:
    """Two names of a Python in one directory are of one environment; links out of it do not matter."""
    return os.path.realpath(os.path.dirname(one)) == os.path.realpath(os.path.dirname(other))


def _check_launch_cmd(launch_cmd: str, probe: Probe) -> list[Finding]:
    from parsl.version import VERSION

    if "process_worker_pool.py" in launch_cmd and not probe.worker_pool:
        text = (
            "launch_cmd starts process_worker_pool.py, which is neither on the PATH after worker_init nor "
            f"beside the driver's Python, {sys.executable}."
        )
        return [Finding(ERROR, _PYTHON, text, "Leave launch_cmd out, or activate an environment with Parsl.")]
    if probe.worker_pool and _same_environment(probe.worker_pool, sys.executable):
        return [Finding(NOTE, _PYTHON, f"launch_cmd is used; {probe.worker_pool} is the driver's own")]
    found = probe.found_python
    if not found.parsl_version:
        path = found.path or "python"
        text = f"launch_cmd is used; {path} after worker_init does not import Parsl: {found.error}"
        return [Finding(WARNING, _PYTHON, text)]
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    if (found.parsl_version, found.version) != (VERSION, ours):
        text = (
            f"launch_cmd is used; {found.path} after worker_init has Python {found.version} and Parsl "
            f"{found.parsl_version}, the driver has {ours} and {VERSION}: managers are refused."
        )
        return [Finding(ERROR, _PYTHON, text)]
    text = f"launch_cmd is used; {found.path} has the same Python and Parsl as the driver"
    return [Finding(NOTE, _PYTHON, text)]
