"""The interface of launchers, for those who write one, and how providers use it."""

from __future__ import annotations

import os
import sys
from abc import ABCMeta, abstractmethod

from parsl import validate
from parsl.common.representation import RepresentationMixin
from parsl.launchers.errors import BadLauncher

_VAR_POSITIONAL = 0x04
_VAR_KEYWORD = 0x08


class Launcher(RepresentationMixin, metaclass=ABCMeta):
    """Turns a command into shell text that runs it all over a block.

    A provider calls its launcher once for each block and puts the text at the end of the job
    script, which runs on the first node of the block. The PATH ends there with the directory of the
    driver's Python. Launchers keep no state.

    Args:
        debug: Say in the job's standard output what is started and how it ended.
    """

    def __init__(self, debug: bool = True) -> None:
        self.debug = validate.boolean(self, "debug", debug)

    @abstractmethod
    def __call__(self, command: str, tasks_per_node: int, nodes_per_block: int, script_dir: str = "") -> str:
        """Return the text that runs ``command``.

        A launcher written without ``script_dir`` works too.

        Args:
            command: A command line for bash.
            tasks_per_node: How many copies to start on each node.
            nodes_per_block: How many nodes the block has.
            script_dir: A directory that all nodes can see, for files that the text needs; may be empty.

        Returns:
            Text for bash, to be the end of a job script. It ends the script with the exit code of
            the command.
        """


def check_launcher(launcher: object) -> Launcher:
    """Return ``launcher`` if it is one.

    Raises:
        BadLauncher: It is not.
    """
    if not isinstance(launcher, Launcher):
        raise BadLauncher(launcher)
    return launcher


def launch_text(
    launcher: Launcher, command: str, tasks_per_node: int, nodes_per_block: int, script_dir: str = ""
) -> str:
    """Return the end of a job script: the PATH, and what ``launcher`` makes of the command.

    It is called with ``script_dir`` only if it takes one; arguments as for :class:`Launcher`.
    """
    if _takes_script_dir(launcher):
        text = launcher(command, tasks_per_node, nodes_per_block, script_dir)
    else:
        text = launcher(command, tasks_per_node, nodes_per_block)
    return _path_line() + text


def _path_line() -> str:
    """Have programs of the driver's environment found, behind all others, though it is not activated."""
    from shlex import quote

    directory = os.path.dirname(sys.executable or "")
    if not directory or ":" in directory:
        return ""
    return f'export PATH="${{PATH:+$PATH:}}"{quote(directory)}  # of the driver: last, behind all others\n'


def _takes_script_dir(launcher: Launcher) -> bool:
    """Look at the code object: the inspect module would cost more than everything else here."""
    code = getattr(type(launcher).__call__, "__code__", None)
    if code is None or code.co_flags & (_VAR_POSITIONAL | _VAR_KEYWORD):
        return _signature_takes_script_dir(launcher)
    takes: bool = code.co_argcount > len(("self", "command", "tasks_per_node", "nodes_per_block"))
    return takes


def _signature_takes_script_dir(launcher: Launcher) -> bool:
    from inspect import signature  # only for decorated launchers, and the like

    try:
        signature(launcher).bind("command", 1, 1, "script_dir")
    except TypeError:
        return False
    return True
