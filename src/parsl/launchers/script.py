"""Launchers whose text comes from the script files beside this module.

The text of a launcher is its own file, which defines ``parsl_launch``, and then ``skeleton.sh``,
which calls it. Values reach the script as quoted arguments, and never become part of its code.
"""

from __future__ import annotations

import os
import shlex

from parsl import validate
from parsl.launchers.base import Launcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_SCRIPTS = os.path.join(os.path.dirname(__file__), "scripts")


class ScriptLauncher(Launcher):
    """A launcher that is a script file; a subclass names it, and gives its arguments."""

    #: File name, without ``.sh``, of the script that defines ``parsl_launch``.
    script_name: str

    def script_arguments(self, tasks_per_node: int, nodes_per_block: int) -> Sequence[str]:
        """Return the script's own arguments, not quoted."""
        return ()

    def __call__(self, command: str, tasks_per_node: int, nodes_per_block: int, script_dir: str = "") -> str:
        validate.text(self, "command", command, allow_empty=False)
        validate.integer(self, "tasks_per_node", tasks_per_node, low=1)
        validate.integer(self, "nodes_per_block", nodes_per_block, low=1)
        arguments = (
            type(self).__name__,
            "1" if self.debug else "0",
            str(tasks_per_node),
            str(nodes_per_block),
            script_dir,
            command,
            *self.script_arguments(tasks_per_node, nodes_per_block),
        )
        quoted = " ".join(shlex.quote(argument) for argument in arguments)
        return f"{_read(self.script_name)}\nset -- {quoted}\n{_read('skeleton')}"


def _read(script_name: str) -> str:
    with open(os.path.join(_SCRIPTS, f"{script_name}.sh"), encoding="utf-8") as script:
        return script.read()
