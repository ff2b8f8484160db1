"""Runs worker_init on this host, in a shell like that of the job, and checks what it does.

The checks are whether it works, and whether Parsl can be imported after it.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import sys
from collections import defaultdict
from tempfile import TemporaryDirectory

import parsl.version
from parsl.cli.checkup.launchers import launcher_program
from parsl.cli.checkup.subject import FailedCommand, Probe, PythonFacts, Subject
from parsl.common.commands import CommandResult, run_command
from parsl.executors.high_throughput.driver.launch_commands import is_default
from parsl.providers import GridEngineProvider
from parsl.version import VERSION
from parsl.vocabulary.findings import Finding, Topic

_WORKER_INIT, _PYTHON = Topic("worker_init"), Topic("python")
_SCRIPT = os.path.join(os.path.dirname(__file__), "probe.sh")
_CLEAN_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
_KEPT = ("HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL")
#: Commands that do the same on a node as here.
_SAME_EVERYWHERE = frozenset({"source", ".", "cd", "module", "ml", "conda", "mamba", "micromamba", "spack"})
_SOURCE = re.compile(
    r"(?:^|[;&|]|\bthen\b|\bdo\b)\s*(?:source|\.)\s+(?P<path>\"[^\"]*\"|'[^']*'|[^\s;&|]+)", re.MULTILINE
)
_MAX_STDERR_LINES = 5
#: The prefix of bash's messages about the copy of worker_init.
_BASH_PREFIX = re.compile(r"^\S*worker_init\.sh: line \d+: ")


def probe_subject(subject: Subject) -> Probe | None:
    """Run worker_init; None if the provider has none, or if it is for machines with other files."""
    if subject.provider is None or not hasattr(subject.provider, "worker_init") or subject.is_elsewhere:
        return None
    is_clean = subject.is_pbs or isinstance(subject.provider, GridEngineProvider)
    return run_probe(
        subject.worker_init,
        launcher_program(subject) or "",
        is_clean=is_clean,
        is_pbs=subject.is_pbs,
        timeout_s=subject.options.timeout_s,
    )


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
    with open(_SCRIPT, encoding="utf-8") as file:
        before, after = file.read().split("# --- worker_init ---\n")
    # An array, because worker_init may change the positional parameters.
    words = shlex.join((report, program, sys.executable, root))
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


def check_worker_init(subject: Subject) -> list[Finding]:
    """Check what worker_init does; if it was not run, what its text shows."""
    probe = subject.probe
    if subject.is_elsewhere:
        return [_WORKER_INIT.note("it was not checked, as it runs on machines with files of their own.")]
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
    if not is_default(subject.executor.launch_cmd):
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
