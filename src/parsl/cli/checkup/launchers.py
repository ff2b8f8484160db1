"""Checks of the launcher: whether it fits provider and executor, and whether its program exists."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
from itertools import pairwise

from parsl.cli.checkup.subject import Subject
from parsl.executors.high_throughput.node.node_list import (
    NODE_FILE_VARIABLE,
    SLURM_VARIABLES,
    NoNodes,
    read_nodes,
)
from parsl.vocabulary.findings import Finding, Topic

_LAUNCHER = Topic("launcher")
#: The program that a launcher starts.
_PROGRAMS = {
    "AprunLauncher": "aprun",
    "GnuParallelLauncher": "parallel",
    "JsrunLauncher": "jsrun",
    "MpiExecLauncher": "mpiexec",
    "MpiRunLauncher": "mpirun",
    "SrunLauncher": "srun",
    "SrunMPILauncher": "srun",
}
#: Programs that belong to one scheduler, by the providers' labels.
_OWNERS = {"srun": ("slurm",), "jsrun": ("LSF",), "aprun": ("torque", "pbspro", "slurm")}
#: Options that set the number of managers per node, and in total.
_PER_NODE = ("-ppn", "--ppn", "-npernode", "--ntasks-per-node")
_IN_TOTAL = ("-n", "-np", "--np", "--ntasks")
_ONE_NODE = ("SimpleLauncher", "SingleNodeLauncher")


def launcher_program(subject: Subject) -> str | None:
    """Return the program that starts the managers, or the programs of MPI tasks."""
    if subject.is_mpi:
        return str(subject.executor.mpi_launcher)
    return _PROGRAMS.get(type(subject.launcher).__name__)


def check_launcher(subject: Subject) -> list[Finding]:
    """Check that launcher, provider and nodes fit each other."""
    if subject.launcher is None:
        return []
    program = launcher_program(subject)
    return [
        *_check_reach(subject, type(subject.launcher).__name__),
        *_check_owner(subject, program),
        *_check_binding(subject),
        *_check_counts(subject),
        *_check_program(subject, program),
        *_check_node_file(subject),
    ]


def _check_reach(subject: Subject, launcher: str) -> list[Finding]:
    nodes = subject.nodes_per_block
    if nodes == 1 or subject.is_mpi:
        return []
    if launcher in _ONE_NODE:
        text = (
            f"{launcher} starts workers on the first of a block's {nodes} nodes only: the others stay idle."
        )
        return [_LAUNCHER.error(text, f"Use {_better_launcher(subject)}.")]
    if launcher == "WrappedLauncher":
        text = f"WrappedLauncher starts one manager for {nodes} nodes, unless its command starts more."
        return [_LAUNCHER.warning(text)]
    return []


def _better_launcher(subject: Subject) -> str:
    by_label = {"slurm": "SrunLauncher()", "LSF": "JsrunLauncher()"}
    other = "MpiExecLauncher(bind_cmd='--cpu-bind', overrides='--ppn 1'), or another one that fits"
    return by_label.get(getattr(subject.provider, "label", ""), other)


def _check_owner(subject: Subject, program: str | None) -> list[Finding]:
    owners = _OWNERS.get(program or "")
    batch = subject.batch
    if owners is None or batch is None or batch.label in owners:
        return []
    what = f"mpi_launcher={program!r}" if subject.is_mpi else type(batch.launcher).__name__
    text = f"{what} is not for {subject.provider_name}: {program} needs a job of {' or '.join(owners)}."
    return [_LAUNCHER.error(text, "" if subject.is_mpi else f"Use {_better_launcher(subject)}.")]


def _check_binding(subject: Subject) -> list[Finding]:
    options = str(getattr(subject.provider, "scheduler_options", ""))
    if getattr(subject.launcher, "bind_cmd", "") != "--bind-to" or "filesystems=" not in options:
        return []
    text = "MpiExecLauncher's bind_cmd is --bind-to, which the mpiexec of Aurora and Polaris (PALS) rejects."
    return [_LAUNCHER.error(text, "Write MpiExecLauncher(bind_cmd='--cpu-bind', overrides='--ppn 1').")]


def _check_counts(subject: Subject) -> list[Finding]:
    """Look for options that put several managers on a node."""
    nodes = subject.nodes_per_block
    given = _numbers(str(getattr(subject.launcher, "overrides", "")))
    advice = "Leave it out, or set it to 1 per node: a manager starts as many workers as fit on its node."
    for option, number in given.items():
        if option in _PER_NODE and number > 1 and nodes > 1:
            text = (
                f"overrides has {option} {number}, but {nodes} managers are started, one per node: "
                f"up to {number} of them are put on the same node."
            )
            return [_LAUNCHER.error(text, advice)]
        if option in _IN_TOTAL and number != nodes:
            text = (
                f"overrides has {option} {number}: that many managers start on the block's {nodes} "
                f"{'node' if nodes == 1 else 'nodes'}, each with all workers of a node."
            )
            return [_LAUNCHER.error(text, advice)]
    return []


def _numbers(overrides: str) -> dict[str, int]:
    """Return the options with a number, which follows as the next word or after ``=``."""
    try:
        words = shlex.split(overrides)
    except ValueError:
        return {}
    pairs = [*pairwise(words), *((name, value) for name, _, value in (word.partition("=") for word in words))]
    return {name: int(value) for name, value in pairs if name[:1] == "-" and value.isdecimal()}


def _check_program(subject: Subject, program: str | None) -> list[Finding]:
    if program is None:
        return []
    path = (subject.probe.program if subject.probe else "") or shutil.which(program)
    if path:
        return [_LAUNCHER.ok(f"{program} is available: {path}")]
    if subject.is_local:
        text = f"{program} is not on the PATH here, where it would be started."
        return [_LAUNCHER.error(text, f"Load its module in worker_init, or install {program}.")]
    text = f"{program} is not on the PATH here. It may be on the PATH of the compute nodes: check there."
    return [_LAUNCHER.warning(text)]


def _check_node_file(subject: Subject) -> list[Finding]:
    """Check that a job has enough nodes for a block, if this is a job."""
    if not subject.is_local:
        return []
    nodes = subject.nodes_per_block
    if not any(os.environ.get(variable) for variable in (NODE_FILE_VARIABLE, *SLURM_VARIABLES)):
        if nodes == 1:
            return []
        variables = f"neither {NODE_FILE_VARIABLE} nor {SLURM_VARIABLES[0]} is set"
        text = f"nodes_per_block is {nodes}, but this is not a batch job: {variables}."
        return [_LAUNCHER.warning(text, "Run the check again inside the job.")]
    try:
        found = read_nodes(os.environ, platform.node(), nodes)
    except NoNodes as error:
        return [_LAUNCHER.error(str(error))]
    if len(found) > nodes and not subject.is_mpi:
        return [_LAUNCHER.note(f"the job has {len(found)} nodes, of which a block uses {nodes}.")]
    return []
