"""Builds ready configurations from their parameters."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from os import PathLike
from shlex import quote
from typing import Any

from parsl import executors, validate
from parsl.common.parameter_names import named_parameters, parameter_names, refuse_unknown
from parsl.config import Config
from parsl.executors.base import ParslExecutor
from parsl.providers.base import ExecutionProvider

_JOB_OPTIONS = ("walltime", "nodes_per_block", "min_blocks", "max_blocks")


def compose_config(
    function: Callable[..., Config], executor: ParslExecutor, options: dict[str, Any], **defaults: Any
) -> Config:
    """Return a configuration with one executor.

    The user has passed the options to ``function``, so its parameters are listed if a name is unknown.
    """
    known = (named_parameters(function) | parameter_names(Config.__init__)) - {"executors"}
    if not known.issuperset(options):
        refuse_unknown(function.__name__, options, known)
    return Config(**{"executors": [executor], **defaults, **options})


def mpi_executor(
    owner: str, label: str, provider: ExecutionProvider, nodes_per_task: int, **options: Any
) -> executors.MPIExecutor:
    """Return an executor that runs as many MPI tasks in a block as there are nodes for.

    ``nodes_per_task`` is the number of nodes of the smallest task, ``owner`` the configuration, for errors.
    """
    nodes = provider.nodes_per_block
    validate.integer(owner, "nodes_per_task", nodes_per_task, low=1, high=nodes)
    return executors.MPIExecutor(
        label=label,
        provider=provider,
        max_workers_per_block=nodes // nodes_per_task,
        encrypted=True,
        **options,
    )


def job_options(owner: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the provider's options for the parameters that all configurations of batch jobs share.

    The parameters are the ``locals()`` of the configuration named ``owner``. Environment modules put their
    own programs first in the PATH, so the environment is activated after the user's ``worker_init``. The
    environment None is that of the driver, if any; an empty string is no environment.
    """
    text = validate.text(owner, "worker_init", parameters["worker_init"])
    directory = parameters["directory"]
    where = os.getcwd() if directory is None else _path(owner, "directory", directory)
    activation = _activation(owner, parameters["environment"])
    lines = [text.strip(), activation, f"cd {_quoted(where)}" if where else ""]
    worker_init = "\n".join(line for line in lines if line)
    return {"worker_init": worker_init, **{name: parameters[name] for name in _JOB_OPTIONS}}


def _activation(owner: str, environment: str | PathLike[str] | None) -> str:
    if environment is None:
        return "" if sys.prefix in ("/usr", "/usr/local") else _activate(sys.prefix)
    path = _path(owner, "environment", environment)
    return _activate(path) if path else ""


def _activate(path: str) -> str:
    here = os.path.expanduser(os.path.expandvars(path))
    script = os.path.join(here, "bin", "activate")
    if os.path.isfile(here):
        return f"source {_quoted(path)}"
    if os.path.isdir(os.path.join(here, "bin")) and not os.path.exists(script):
        return f"export PATH={_quoted(os.path.join(path, 'bin'))}:$PATH"  # a conda environment, for example
    return f"source {_quoted(os.path.join(path, 'bin', 'activate'))}"


def _path(owner: str, name: str, value: object) -> str:
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    return validate.text(owner, name, text, one_line=True)


def _quoted(path: str) -> str:
    """Quote a path for bash, which still expands ~ and variables in it."""
    if path == "~" or path.startswith("~/"):
        path = f"$HOME{path[1:]}"
    if "$" not in path:
        return quote(path)
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("`", "\\`")
    return f'"{escaped}"'
