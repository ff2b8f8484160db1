"""The launchers that come with Parsl."""

from __future__ import annotations

from parsl import validate
from parsl.common.parameter_names import refuses_unknown_names
from parsl.launchers.base import Launcher
from parsl.launchers.script import ScriptLauncher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class SimpleLauncher(Launcher):
    """Run the command once, on the first node of the block: the text is the command itself.

    Args:
        debug: Has no effect, as nothing is added to the command.
    """

    @refuses_unknown_names
    def __init__(self, debug: bool = True) -> None:
        super().__init__(debug=debug)

    def __call__(self, command: str, tasks_per_node: int, nodes_per_block: int, script_dir: str = "") -> str:
        return command


class WrappedLauncher(Launcher):
    """Run the command once, on the first node, behind another one, such as ``docker run image``.

    Args:
        prepend: Shell text to put in front of the command, with a space between the two.
        debug: Has no effect, as nothing else is added to the command.
    """

    @refuses_unknown_names
    def __init__(self, prepend: str, debug: bool = True) -> None:
        super().__init__(debug=debug)
        self.prepend = validate.text(self, "prepend", prepend)

    def __call__(self, command: str, tasks_per_node: int, nodes_per_block: int, script_dir: str = "") -> str:
        return f"{self.prepend} {command}"


class SingleNodeLauncher(ScriptLauncher):
    """Run ``tasks_per_node * nodes_per_block`` copies of the command on the first node.

    The exit code is that of the first copy that failed, or 0.

    Args:
        debug: Say in the job's standard output what is started and how it ended.
        fail_on_any: Whether one failed copy makes the block a failed one; otherwise all have to fail.
    """

    script_name = "single_node"

    @refuses_unknown_names
    def __init__(self, debug: bool = True, fail_on_any: bool = False) -> None:
        super().__init__(debug=debug)
        self.fail_on_any = validate.boolean(self, "fail_on_any", fail_on_any)

    def script_arguments(self, tasks_per_node: int, nodes_per_block: int) -> Sequence[str]:
        return ("1" if self.fail_on_any else "0",)


class GnuParallelLauncher(ScriptLauncher):
    """Run ``tasks_per_node`` copies on each node with GNU parallel, which reaches the nodes by ssh.

    The nodes are those of ``$PBS_NODEFILE``; outside of a PBS job all copies run here. If
    ``parallel --record-env`` has been used, the environment is passed on.

    Args:
        debug: Say in the job's standard output what is started and how it ended.
    """

    script_name = "gnu_parallel"

    @refuses_unknown_names
    def __init__(self, debug: bool = True) -> None:
        super().__init__(debug=debug)


class _OverridableLauncher(ScriptLauncher):
    def __init__(self, debug: bool, overrides: str) -> None:
        super().__init__(debug=debug)
        self.overrides = validate.text(self, "overrides", overrides)

    def script_arguments(self, tasks_per_node: int, nodes_per_block: int) -> Sequence[str]:
        return (self.overrides,)


class MpiExecLauncher(_OverridableLauncher):
    """Run ``tasks_per_node * nodes_per_block`` copies with ``mpiexec``.

    In a PBS job the nodes are passed as ``--hostfile``, each of them once; elsewhere mpiexec is
    left to find them itself.

    Args:
        debug: Say in the job's standard output what is started and how it ended.
        bind_cmd: The option of this mpiexec that binds processes to processors. It is given the
            value ``none``, as the workers bind themselves. HPE PALS needs ``"--cpu-bind"``; empty
            leaves the option out.
        overrides: Further options, as shell text, such as ``"--ppn 1"``.
    """

    script_name = "mpiexec"

    @refuses_unknown_names
    def __init__(self, debug: bool = True, bind_cmd: str = "--bind-to", overrides: str = "") -> None:
        super().__init__(debug, overrides)
        self.bind_cmd = validate.text(self, "bind_cmd", bind_cmd)

    def script_arguments(self, tasks_per_node: int, nodes_per_block: int) -> Sequence[str]:
        return (self.bind_cmd, self.overrides)


class MpiRunLauncher(_OverridableLauncher):
    """Run ``tasks_per_node * nodes_per_block`` copies with ``mpirun``.

    Args:
        debug: Say in the job's standard output what is started and how it ended.
        bash_location: Where bash is on the nodes.
        overrides: Further options, as shell text.
    """

    script_name = "starter"

    @refuses_unknown_names
    def __init__(self, debug: bool = True, bash_location: str = "/bin/bash", overrides: str = "") -> None:
        super().__init__(debug, overrides)
        self.bash_location = validate.text(self, "bash_location", bash_location, allow_empty=False)

    def script_arguments(self, tasks_per_node: int, nodes_per_block: int) -> Sequence[str]:
        copies = tasks_per_node * nodes_per_block
        return (self.bash_location, self.overrides, "mpirun", "-np", str(copies))


class AprunLauncher(_OverridableLauncher):
    """Run ``tasks_per_node`` copies on each node with ``aprun`` of Cray's ALPS.

    Args:
        debug: Say in the job's standard output what is started and how it ended.
        overrides: Further options, as shell text.
    """

    script_name = "starter"

    @refuses_unknown_names
    def __init__(self, debug: bool = True, overrides: str = "") -> None:
        super().__init__(debug, overrides)

    def script_arguments(self, tasks_per_node: int, nodes_per_block: int) -> Sequence[str]:
        copies = tasks_per_node * nodes_per_block
        return ("/bin/bash", self.overrides, "aprun", "-n", str(copies), "-N", str(tasks_per_node))


class JsrunLauncher(_OverridableLauncher):
    """Run ``tasks_per_node`` copies on each node with ``jsrun`` of IBM's Spectrum LSF.

    Args:
        debug: Say in the job's standard output what is started and how it ended.
        overrides: Further options, as shell text.
    """

    script_name = "starter"

    @refuses_unknown_names
    def __init__(self, debug: bool = True, overrides: str = "") -> None:
        super().__init__(debug, overrides)

    def script_arguments(self, tasks_per_node: int, nodes_per_block: int) -> Sequence[str]:
        copies = tasks_per_node * nodes_per_block
        return ("/bin/bash", self.overrides, "jsrun", "-n", str(copies), "-r", str(tasks_per_node))


class SrunLauncher(_OverridableLauncher):
    """Run ``tasks_per_node * nodes_per_block`` copies with one ``srun`` of Slurm.

    Args:
        debug: Say in the job's standard output what is started and how it ended.
        overrides: Further options, as shell text.
    """

    script_name = "srun"

    @refuses_unknown_names
    def __init__(self, debug: bool = True, overrides: str = "") -> None:
        super().__init__(debug, overrides)


class SrunMPILauncher(_OverridableLauncher):
    """Run each of the ``tasks_per_node * nodes_per_block`` copies with an ``srun`` of its own.

    Each has as many whole nodes as there are for it, or, with more copies than nodes, as many
    Slurm tasks as there are cores for it. For commands that start MPI programs themselves. The
    exit code is that of the first srun that failed, or 0.

    Args:
        debug: Say in the job's standard output what is started and how it ended.
        overrides: Further options, as shell text.
    """

    script_name = "srun_mpi"

    @refuses_unknown_names
    def __init__(self, debug: bool = True, overrides: str = "") -> None:
        super().__init__(debug, overrides)
