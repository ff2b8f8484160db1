"""The launchers that come with Parsl.

Most of them consist of a script in ``scripts/``: a file of the launcher's own, which defines the function
``parsl_launch``, followed by ``skeleton.sh``, which calls that function. Values reach the script as quoted
arguments and never become part of its code.
"""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Sequence

from parsl import validate
from parsl.common.parameter_names import refuses_unknown_names
from parsl.launchers.base import Launcher

logger = logging.getLogger(__name__)

_SCRIPTS = os.path.join(os.path.dirname(__file__), "scripts")


class SimpleLauncher(Launcher):
    """Run the command once, on the first node of the block: the text is the command itself.

    A warning is logged if a block has more nodes, or more than one copy is requested for each node. ``debug``
    has no effect, as nothing is added to the command.
    """

    def __call__(self, command: str, tasks_per_node: int, nodes_per_block: int, script_dir: str = "") -> str:
        _warn_of_single_copy(self, tasks_per_node, nodes_per_block, "An MPIExecutor expects that")
        return command


class WrappedLauncher(Launcher):
    """Run the command once, on the first node, within another command such as ``docker run image``.

    A warning is logged if a block has more nodes, or more than one copy is requested for each node. ``debug``
    has no effect, as nothing else is added to the command.

    Args:
        prepend: Shell text to put before the command, separated by a space.
    """

    prepend = validate.Text()

    @refuses_unknown_names
    def __init__(self, prepend: str, debug: bool = True) -> None:
        validate.assign(self, locals())

    def __call__(self, command: str, tasks_per_node: int, nodes_per_block: int, script_dir: str = "") -> str:
        hint = f"That is right if {self.prepend!r} starts the others"
        _warn_of_single_copy(self, tasks_per_node, nodes_per_block, hint)
        return f"{self.prepend} {command}"


def _warn_of_single_copy(launcher: Launcher, tasks_per_node: int, nodes_per_block: int, hint: str) -> None:
    """Warn if a launcher that runs the command once is used where more copies are requested."""
    if tasks_per_node > 1 or nodes_per_block > 1:
        logger.warning(
            "%s starts the command once, on the first node, but %d nodes per block and %d tasks per node are "
            "requested. %s; otherwise there are fewer workers than expected: choose a launcher such as "
            "SrunLauncher or MpiExecLauncher",
            type(launcher).__name__, nodes_per_block, tasks_per_node, hint,
        )  # fmt: skip


class ScriptLauncher(Launcher):
    """A launcher that consists of a script file. A subclass names the file and provides its arguments."""

    #: File name, without ``.sh``, of the script that defines ``parsl_launch``.
    script_name: str

    def script_arguments(self, tasks_per_node: int, nodes_per_block: int) -> Sequence[str]:
        """Return the arguments of ``parsl_launch``, without quotes."""
        return ()

    def __call__(self, command: str, tasks_per_node: int, nodes_per_block: int, script_dir: str = "") -> str:
        validate.text(self, "command", command, allow_empty=False)
        validate.integer(self, "tasks_per_node", tasks_per_node, low=1)
        validate.integer(self, "nodes_per_block", nodes_per_block, low=1)
        sizes = map(str, (int(self.debug), tasks_per_node, nodes_per_block))
        more = self.script_arguments(tasks_per_node, nodes_per_block)
        arguments = [type(self).__name__, *sizes, script_dir, command, *more]
        return f"{_read(self.script_name)}\nset -- {shlex.join(arguments)}\n{_read('skeleton')}"


class SingleNodeLauncher(ScriptLauncher):
    """Run ``tasks_per_node * nodes_per_block`` copies of the command on the first node.

    The exit code is that of the first copy that failed, or 0.

    Args:
        fail_on_any: Whether the block fails if one copy fails; by default it fails only if all copies fail.
    """

    script_name = "single_node"
    fail_on_any = validate.Boolean()

    @refuses_unknown_names
    def __init__(self, debug: bool = True, fail_on_any: bool = False) -> None:
        validate.assign(self, locals())

    def script_arguments(self, tasks_per_node: int, nodes_per_block: int) -> Sequence[str]:
        return ("1" if self.fail_on_any else "0",)


class GnuParallelLauncher(ScriptLauncher):
    """Run ``tasks_per_node`` copies on each node with GNU parallel, which reaches the nodes by ssh.

    ``$PBS_NODEFILE`` lists the nodes; outside of a PBS job all copies run on the first node. The
    environment is passed on if ``parallel --record-env`` has been used.
    """

    script_name = "gnu_parallel"


class _OverridableLauncher(ScriptLauncher):
    overrides = validate.Text()

    @refuses_unknown_names
    def __init__(self, debug: bool = True, overrides: str = "") -> None:
        """Most launchers have these parameters.

        Args:
            debug: Write to the job's standard output what is started and how it ended.
            overrides: Further options of the program, as shell text, such as ``"--ppn 1"``.
        """
        validate.assign(self, locals())

    def script_arguments(self, tasks_per_node: int, nodes_per_block: int) -> Sequence[str]:
        return (self.overrides,)


class MpiExecLauncher(_OverridableLauncher):
    """Run ``tasks_per_node * nodes_per_block`` copies with ``mpiexec``.

    In a PBS job the nodes are passed as ``--hostfile``, each of them once; elsewhere mpiexec finds the
    nodes itself.

    Args:
        bind_cmd: The option of this mpiexec that binds processes to processors. Its value is ``none``, as
            the workers bind themselves. HPE PALS needs ``"--cpu-bind"``; an empty string omits the option.
    """

    script_name = "mpiexec"
    bind_cmd = validate.Text()

    @refuses_unknown_names
    def __init__(self, debug: bool = True, bind_cmd: str = "--bind-to", overrides: str = "") -> None:
        validate.assign(self, locals())

    def script_arguments(self, tasks_per_node: int, nodes_per_block: int) -> Sequence[str]:
        return (self.bind_cmd, self.overrides)


class MpiRunLauncher(_OverridableLauncher):
    """Run ``tasks_per_node * nodes_per_block`` copies with ``mpirun``.

    Args:
        bash_location: The path of bash on the nodes.
    """

    script_name = "starter"
    bash_location = validate.Text(allow_empty=False)

    @refuses_unknown_names
    def __init__(self, debug: bool = True, bash_location: str = "/bin/bash", overrides: str = "") -> None:
        validate.assign(self, locals())

    def script_arguments(self, tasks_per_node: int, nodes_per_block: int) -> Sequence[str]:
        copies = tasks_per_node * nodes_per_block
        return (self.bash_location, self.overrides, "mpirun", "-np", str(copies))


class _PerNodeLauncher(_OverridableLauncher):
    """Runs a starter program that takes the number of copies, in all and on each node."""

    script_name = "starter"
    #: The program, its option for all copies and its option for the copies on each node.
    starter: tuple[str, str, str]

    def script_arguments(self, tasks_per_node: int, nodes_per_block: int) -> Sequence[str]:
        program, all_option, node_option = self.starter
        copies = (all_option, str(tasks_per_node * nodes_per_block), node_option, str(tasks_per_node))
        return ("/bin/bash", self.overrides, program, *copies)


class AprunLauncher(_PerNodeLauncher):
    """Run ``tasks_per_node`` copies on each node with ``aprun`` of Cray's ALPS."""

    starter = ("aprun", "-n", "-N")


class JsrunLauncher(_PerNodeLauncher):
    """Run ``tasks_per_node`` copies on each node with ``jsrun`` of IBM's Spectrum LSF."""

    starter = ("jsrun", "-n", "-r")


class SrunLauncher(_OverridableLauncher):
    """Run ``tasks_per_node * nodes_per_block`` copies with one ``srun`` of Slurm."""

    script_name = "srun"


class SrunMPILauncher(_OverridableLauncher):
    """Run each of the ``tasks_per_node * nodes_per_block`` copies with a separate ``srun``.

    The nodes are shared out among the copies. With more copies than nodes, the cores are shared out
    instead, as Slurm tasks. Use this launcher for commands that start MPI programs themselves. The exit
    code is that of the first srun that failed, or 0.
    """

    script_name = "srun_mpi"


def _read(script_name: str) -> str:
    with open(os.path.join(_SCRIPTS, f"{script_name}.sh"), encoding="utf-8") as script:
        return script.read()
