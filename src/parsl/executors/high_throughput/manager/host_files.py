"""Files with the names of a task's nodes, one on each line, for launchers that take no long lists."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence

#: A path goes into command lines without quotes: shells would split or expand anything else.
_PLAIN_PATH = re.compile(r"[\w./+:@%=,-]+", re.ASCII)


class HostFiles:
    """The host files of one manager's tasks. Owned by the manager's loop.

    Args:
        directory: Where to write them; a temporary directory instead if its name has white space or the like.
    """

    def __init__(self, directory: str) -> None:
        self._directory = os.path.abspath(directory)
        self._temporary: str | None = None
        self._files: dict[int, str] = {}

    def __repr__(self) -> str:
        return f"<HostFiles files={len(self._files)}>"

    def write(self, task_id: int, nodes: Sequence[str]) -> str:
        """Write a task's file.

        Returns: its path.
        Raises: OSError when that is not possible.
        """
        path = self._files[task_id] = f"{self._open_directory()}/hosts-{task_id}"
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(f"{node}\n" for node in nodes)
        return path

    def remove(self, task_id: int) -> None:
        """Remove a task's file, if it has one."""
        path = self._files.pop(task_id, None)
        if path is not None:
            _remove(os.unlink, path)

    def close(self) -> None:
        """Remove all that is left."""
        for task_id in list(self._files):
            self.remove(task_id)
        if self._temporary is not None:
            _remove(os.rmdir, self._temporary)

    def _open_directory(self) -> str:
        if _PLAIN_PATH.fullmatch(self._directory):
            os.makedirs(self._directory, exist_ok=True)
            return self._directory
        if self._temporary is None:
            from tempfile import mkdtemp

            self._temporary = mkdtemp(prefix="parsl-hosts-")
        return self._temporary


def _remove(how: Callable[[str], None], path: str) -> None:
    try:
        how(path)
    except OSError:
        pass  # whoever removes run directories was quicker
