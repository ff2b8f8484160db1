"""A virtual environment for each peer, made on demand below ``.bench/``."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

from benchmarks.systems import System

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"
BENCH_DIR = ROOT / ".bench"

#: Seconds that creating one environment may take.
INSTALL_TIMEOUT_S = 600.0


class Unavailable(Exception):
    """A system cannot be measured here; the message is the reason."""


def python_of(system: System) -> Path:
    """The interpreter that runs a system's workloads, installing it when needed.

    Raises:
        Unavailable: the system's packages could not be installed.
    """
    if system.name == "ours":
        return _python_of_checkout()
    if system.requirement is None:
        return Path(sys.executable)
    return _python_with(system.name, system.requirement)


def environment_of(system: System, python: Path) -> dict[str, str]:
    """Environment variables of a system's workload processes."""
    variables = dict(os.environ)
    paths = [str(ROOT)]
    if system.name == "ours":
        paths.insert(0, str(SOURCE))
    variables["PYTHONPATH"] = os.pathsep.join(paths)
    variables["PATH"] = os.pathsep.join([str(python.parent), variables.get("PATH", os.defpath)])
    variables |= {"RAY_USAGE_STATS_ENABLED": "0", "TQDM_DISABLE": "1"}
    return variables


def version_of(system: System, python: Path) -> str:
    """The version of a system as its own interpreter reports it."""
    if system.distribution is None:
        return platform.python_version()
    if system.name == "ours":
        script = "import parsl; print(parsl.__version__)"
    else:
        script = f"from importlib.metadata import version; print(version({system.distribution!r}))"
    done = subprocess.run(
        [str(python), "-c", script],
        env=environment_of(system, python),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stdout.strip() or "unknown"


def _python_of_checkout() -> Path:
    """The running interpreter if it has our dependencies, else an environment with them."""
    probe = "import zmq, cloudpickle, parsl.executors"
    system = System("ours", "ours")
    here = Path(sys.executable)
    done = subprocess.run(
        [str(here), "-c", probe], env=environment_of(system, here), capture_output=True, check=False
    )
    if done.returncode == 0:
        return here
    return _python_with("ours", f"-e {ROOT}")


def _python_with(name: str, requirement: str) -> Path:
    home = BENCH_DIR / f"venv-{name}"
    python = home / "bin" / "python"
    stamp = home / "installed.txt"
    content = f"{requirement} on Python {platform.python_version()}\n"
    if stamp.exists() and stamp.read_text() == content:
        return python
    print(f"installing {requirement} ...", file=sys.stderr, flush=True)
    _run([sys.executable, "-m", "venv", "--clear", str(home)])
    _run([str(python), "-m", "pip", "install", "--quiet", *requirement.split(" ", 1)])
    stamp.write_text(content)
    return python


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"not installed within {INSTALL_TIMEOUT_S:.0f} s") from None
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        errors = [line for line in lines if line.startswith("ERROR")] or lines
        raise Unavailable(errors[-1])
