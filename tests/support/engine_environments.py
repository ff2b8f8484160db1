"""Virtual environments for engines whose packages bind others to versions, made on demand in ``.engines/``.

Each has the engine's packages, what Parsl needs, pytest, and this checkout's Parsl by a ``.pth`` file. Run
this module to make them all, as continuous integration does: the tests then find them there.
"""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DIRECTORY = ROOT / ".engines"
#: How long a command of an installation may take, in seconds.
INSTALL_LIMIT_S = 280.0
#: How long a test may take that may have to make its environment, in seconds.
TEST_LIMIT_S = 900.0


class Environment(NamedTuple):
    """What an environment has."""

    name: str
    #: The engine's package with its version.
    package: str
    #: Packages that it requires, and that are not installed.
    without: frozenset[str] = frozenset()


#: The endpoint requires a version of Parsl; this checkout's takes its place.
GLOBUS_COMPUTE = Environment("globus-compute", "globus-compute-endpoint==4.19.0", frozenset({"parsl"}))
RADICAL_PILOT = Environment("radical-pilot", "radical.pilot==1.103.2")


class Unavailable(Exception):
    """An environment cannot be made here; the message is the reason."""


def python_of(environment: Environment) -> Path:
    """Return the interpreter of an environment, which is made if it is not there.

    Raises:
        Unavailable: It cannot be made; the message has the reason and the line to type.
    """
    DIRECTORY.mkdir(exist_ok=True)
    home = DIRECTORY / environment.name
    python, stamp = home / "bin" / "python", home / "installed.txt"
    content = f"{environment.package} on Python {sys.version}\n"
    with open(DIRECTORY / f"{environment.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != content:
            _make(environment, home, python)
            stamp.write_text(content)
    return python


def variables(python: Path) -> dict[str, str]:
    """Return environment variables for programs of an environment: its commands come first on the PATH."""
    return {
        **os.environ,
        "PATH": f"{python.parent}:{os.environ.get('PATH', os.defpath)}",
        "VIRTUAL_ENV": str(python.parent.parent),
        "PYTHONPATH": str(ROOT),
    }


def _make(environment: Environment, home: Path, python: Path) -> None:
    _run(environment, sys.executable, "-m", "venv", "--clear", str(home))
    _install(environment, python, "--no-deps", environment.package)
    name = environment.package.partition("==")[0]
    program = f"from importlib.metadata import requires; print(*requires({name!r}), sep='\\n')"
    listed = _run(environment, str(python), "-c", program).splitlines()
    tools = ("pytest>=8.0", "pytest-timeout", "hypothesis")
    _install(environment, python, *tools, *_needed(requires("parsl"), ()))
    _install(environment, python, *_needed(listed, environment.without))
    packages = next((home / "lib").glob("python3*/site-packages"))
    (packages / "parsl-of-this-checkout.pth").write_text(f"{ROOT / 'src'}\n")


def _needed(requirements: list[str] | None, without: frozenset[str] | tuple[str, ...]) -> list[str]:
    """Leave out what belongs to an extra, and the named packages."""
    plain = [each for each in requirements or () if "extra ==" not in each]
    return [each for each in plain if re.split(r"[^\w.-]", each, maxsplit=1)[0].lower() not in without]


def _install(environment: Environment, python: Path, *arguments: str) -> None:
    _run(environment, str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *arguments)


def _run(environment: Environment, *command: str) -> str:
    advice = f"Make it by hand to see why: python -m tests.support.engine_environments {environment.name}"
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_LIMIT_S)
    except subprocess.TimeoutExpired:
        raise Unavailable(
            f"{environment.package} was not installed within {INSTALL_LIMIT_S:g} s. {advice}"
        ) from None
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [
            done.stderr.strip()
        ]
        raise Unavailable(f"{environment.package} cannot be installed: {lines[-1]}. {advice}")
    return done.stdout


if __name__ == "__main__":
    for one in (GLOBUS_COMPUTE, RADICAL_PILOT):
        if one.name in sys.argv[1:] or not sys.argv[1:]:
            try:
                print(python_of(one))
            except Unavailable as error:  # the tests that need it are skipped
                print(error, file=sys.stderr)
