"""Python environments that are sent to workers with the tasks."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from typing import NamedTuple

from parsl.errors import ConfigurationError
from parsl.validate import ParameterError

_REMOTE_ARCHIVE, _REMOTE_RUNNER = "parsl_environment.tar.gz", "parsl_run_packed"
#: The program that unpacks an environment once per worker and runs a command in it, by version.
_RUNNERS = ("poncho_package_run", "python_package_run")


class Environment(NamedTuple):
    """An environment as an archive, and how tasks use it."""

    #: Files on the driver's machine, their names on the worker, and whether the worker keeps them.
    inputs: list[tuple[str, str, bool]]
    #: Shell text in front of a command that runs in the environment.
    prefix: str


def packed_environment(owner: object, parameter: str, archive: str) -> Environment:
    """Return an environment that was packed already.

    Args:
        owner: The object that has the parameter, for messages.
        parameter: The name of that parameter.
        archive: A ``tar.gz`` file that ``conda-pack`` has made.

    Raises:
        ParameterError: The file does not exist.
        ConfigurationError: There is no program that runs commands in it.
    """
    if not os.path.isfile(archive):
        raise ParameterError(f"{type(owner).__name__}: {parameter}: there is no file {archive}")
    runner = next((path for name in _RUNNERS if (path := shutil.which(name))), None)
    if runner is None:
        raise ConfigurationError(
            f"{type(owner).__name__}: {parameter} needs the program {_RUNNERS[0]} of the CCTools on the PATH"
        )
    files = [(os.path.abspath(archive), _REMOTE_ARCHIVE, True), (runner, _REMOTE_RUNNER, True)]
    return Environment(files, f"./{_REMOTE_RUNNER} -e {_REMOTE_ARCHIVE} ")


def pack_environment(
    owner: object, directory: str, parameter: str = "pack", prefix: str | None = None
) -> Environment:
    """Pack a conda environment with conda-pack, and return it.

    Args:
        owner: The object that has the parameter, for messages.
        directory: Where the archive is written.
        parameter: The name of that parameter.
        prefix: The directory of the environment; None for the active one.

    Raises:
        ConfigurationError: There is no conda environment, no conda-pack, or it has failed.
    """
    name = type(owner).__name__
    prefix = prefix or os.environ.get("CONDA_PREFIX")
    tool = shutil.which("conda-pack")
    if not prefix or tool is None:
        what = "conda-pack on the PATH" if prefix else "an active conda environment"
        raise ConfigurationError(
            f"{name}: {parameter} needs {what}: conda activate ENVIRONMENT; conda install -c conda-forge "
            "conda-pack ndcctools. Without conda, install Parsl where the workers run, and activate it "
            "with init_command."
        )
    archive = os.path.join(directory, "environment.tar.gz")
    command = [tool, "--prefix", prefix, "--output", archive, "--force"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if result.returncode:
        output = (result.stdout + result.stderr).strip()
        raise ConfigurationError(f"{name}: {parameter}: {shlex.join(command)} has failed: {output}")
    return packed_environment(owner, parameter, archive)
