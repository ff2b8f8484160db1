"""Checks whether worker_init works, and whether Parsl can be imported after it."""

from __future__ import annotations

import os
import re
import shlex
import sys

from parsl.cli.checkup.launchers import launcher_program
from parsl.cli.checkup.probe import FailedCommand, Probe, PythonFacts, run_probe
from parsl.cli.checkup.subject import Finding, Subject, Topic
from parsl.providers import GridEngineProvider
from parsl.version import VERSION

_WORKER_INIT, _PYTHON = Topic("worker_init"), Topic("python")
#: Commands that do the same on a node as here.
_SAME_EVERYWHERE = frozenset({"source", ".", "cd", "module", "ml", "conda", "mamba", "micromamba", "spack"})
_SOURCE = re.compile(
    r"(?:^|[;&|]|\bthen\b|\bdo\b)\s*(?:source|\.)\s+(?P<path>\"[^\"]*\"|'[^']*'|[^\s;&|]+)", re.MULTILINE
)
_MAX_STDERR_LINES = 5
#: The prefix of bash's messages about the copy of worker_init.
_BASH_PREFIX = re.compile(r"^\S*worker_init\.sh: line \d+: ")


def probe_subject(subject: Subject) -> Probe | None:
    """Run worker_init; None if the provider has none."""
    if subject.provider is None or not hasattr(subject.provider, "worker_init"):
        return None
    is_clean = subject.is_pbs or isinstance(subject.provider, GridEngineProvider)
    return run_probe(
        subject.worker_init,
        launcher_program(subject) or "",
        is_clean=is_clean,
        is_pbs=subject.is_pbs,
        timeout_s=subject.options.timeout_s,
    )


def check_worker_init(subject: Subject) -> list[Finding]:
    """Check what worker_init does; if it was not run, what its text shows."""
    probe = subject.probe
    if probe is None:
        return check_sources(subject.worker_init)
    if probe.timed_out:
        text = f"it has not ended within {subject.options.timeout_s:g} s here. {_tail(probe.stderr)}".strip()
        return [_WORKER_INIT.warning(text, "Use a larger --timeout, or --no-worker-init to skip it.")]
    findings = [_failed(command, probe.stderr) for command in probe.failed]
    if not probe.has_ended:
        ends = f"it ends the job with exit code {probe.exit_code} before anything is started."
        text = f"{ends} {_tail(probe.stderr)}"
        return [*findings, _WORKER_INIT.error(text.strip())]
    if not findings and subject.worker_init.strip():
        findings = [_WORKER_INIT.ok("it runs here without errors")]
    return [*findings, *_check_python(subject, probe)]


def check_sources(worker_init: str) -> list[Finding]:
    """Check that the scripts exist that worker_init sources, as far as their paths are known."""
    findings = []
    for match in _SOURCE.finditer(worker_init):
        try:
            [word] = shlex.split(match["path"])
        except ValueError:
            continue
        path = os.path.expanduser(os.path.expandvars(word))
        if os.path.isabs(path) and not re.search(r"[$*?`]", path) and not os.path.isfile(path):
            findings.append(_WORKER_INIT.error(f"it sources {word}, but {path} does not exist."))
    return findings


def _failed(command: FailedCommand, stderr: str) -> Finding:
    words = command.text.split()
    first = words[0] if words else ""
    text = f"`{command.text}` fails with exit code {command.exit_code}, and the job continues."
    if output := _output_of(words, stderr):
        text = f"{text} It prints: {output}"
    if first not in _SAME_EVERYWHERE:
        return _WORKER_INIT.warning(text, "It may work on the nodes: the check ran on this host.")
    if command.exit_code == 127 or (first in ("module", "ml") and "command not found" in stderr):
        return _WORKER_INIT.error(text, f"There is no command {first} in a fresh login shell here.")
    return _WORKER_INIT.error(text)


def _output_of(words: list[str], stderr: str) -> str:
    """Return the lines of stderr that contain the last or the first word of a command."""
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
    if not subject.is_htex:
        return []
    if subject.executor.launch_cmd is not None:
        return _check_launch_cmd(subject.executor.launch_cmd, probe)
    own = probe.own_python
    if own.parsl_version != VERSION:
        text = (
            f"workers are started with {own.path}, which cannot import Parsl after worker_init: {own.error}"
        )
        return [_PYTHON.error(text, "Does worker_init set PYTHONHOME, PYTHONPATH or load a module?")]
    findings = [_PYTHON.ok(f"workers are started with {own.path}: Python {own.version}, Parsl {VERSION}")]
    if probe.failed or probe.found_python.path == probe.python_before:
        return findings
    return [*findings, *_compare(probe.found_python)]


def _compare(found: PythonFacts) -> list[Finding]:
    """Warn if worker_init activates an environment that tasks do not use."""
    if not found.path or _same_environment(found.path, sys.executable):
        return []
    version = (
        f"Python {found.version}, Parsl {found.parsl_version}" if found.parsl_version else "no Parsl in it"
    )
    text = (
        f"worker_init activates {found.path} ({version}), but Python tasks run in the driver's Python, "
        f"{sys.executable}, and import what is installed there."
    )
    return [_PYTHON.warning(text, "Run the script in the environment that worker_init activates.")]


def _same_environment(one: str, other: str) -> bool:
    """Whether two paths of Python are in the same directory; links out of it do not matter."""
    return os.path.realpath(os.path.dirname(one)) == os.path.realpath(os.path.dirname(other))


def _check_launch_cmd(launch_cmd: str, probe: Probe) -> list[Finding]:
    if "process_worker_pool.py" in launch_cmd and not probe.worker_pool:
        text = (
            "launch_cmd starts process_worker_pool.py, which is neither on the PATH after worker_init nor "
            f"next to the driver's Python, {sys.executable}."
        )
        return [_PYTHON.error(text, "Leave launch_cmd out, or activate an environment with Parsl.")]
    if probe.worker_pool and _same_environment(probe.worker_pool, sys.executable):
        return [_PYTHON.note(f"launch_cmd is used; {probe.worker_pool} is that of the driver")]
    found = probe.found_python
    if not found.parsl_version:
        path = found.path or "python"
        text = f"launch_cmd is used; {path} after worker_init does not import Parsl: {found.error}"
        return [_PYTHON.warning(text)]
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    if (found.parsl_version, found.version) != (VERSION, ours):
        text = (
            f"launch_cmd is used; {found.path} after worker_init has Python {found.version} and Parsl "
            f"{found.parsl_version}, the driver has {ours} and {VERSION}: managers are refused."
        )
        return [_PYTHON.error(text)]
    text = f"launch_cmd is used; {found.path} has the same Python and Parsl as the driver"
    return [_PYTHON.note(text)]
