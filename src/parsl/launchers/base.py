"""The interface of launchers, and the functions with which providers use launchers."""

from __future__ import annotations

import os
import sys
from abc import ABCMeta, abstractmethod
from shlex import quote

from parsl import validate
from parsl.common.parameter_names import refuses_unknown_names
from parsl.common.representation import RepresentationMixin
from parsl.launchers.errors import BadLauncher


class Launcher(RepresentationMixin, metaclass=ABCMeta):
    """Turns a command into shell text that runs the command on the nodes of a block.

    A provider calls its launcher once for each block and puts the text at the end of the job script, which
    runs on the first node of the block. There, the PATH ends with the directory of the driver's Python.
    Launchers keep no state.
    """

    debug = validate.Boolean()

    @refuses_unknown_names
    def __init__(self, debug: bool = True) -> None:
        # Python's help and the reference show this text for all launchers, whose own ones lack a docstring.
        """All launchers have this parameter.

        Args:
            debug: Write to the job's standard output what is started and how it ended.
        """
        validate.assign(self, locals())

    @abstractmethod
    def __call__(self, command: str, tasks_per_node: int, nodes_per_block: int, script_dir: str = "") -> str:
        """Return the text that runs ``command``.

        Launchers whose method lacks ``script_dir`` work too.

        Args:
            command: A command line for bash.
            tasks_per_node: How many copies to start on each node.
            nodes_per_block: How many nodes the block has.
            script_dir: A directory that all nodes can access, for files that the text needs; may be empty.

        Returns:
            Text for bash that ends a job script. It exits with the exit code of the command.
        """


def check_launcher(owner: object, name: str, value: object) -> Launcher:
    """Return a parameter that is a launcher, or raise BadLauncher."""
    if not isinstance(value, Launcher):
        raise BadLauncher(value)
    return value


def launch_text(
    launcher: Launcher, command: str, tasks_per_node: int, nodes_per_block: int, script_dir: str = ""
) -> str:
    """Return the end of a job script: the PATH, and the launcher's text for the command."""
    directories = (script_dir,) if _takes_script_dir(launcher) else ()
    return _path_line() + launcher(command, tasks_per_node, nodes_per_block, *directories)


def _path_line() -> str:
    """Return a line that makes the programs of the driver's environment available as a last resort."""
    directory = os.path.dirname(sys.executable or "")
    if not directory or ":" in directory:
        return ""
    return f'export PATH="${{PATH:+$PATH:}}"{quote(directory)}  # of the driver: searched last\n'


def _takes_script_dir(launcher: Launcher) -> bool:
    from inspect import signature

    try:
        signature(launcher).bind("command", 1, 1, "script_dir")
    except TypeError:
        return False
    return True
