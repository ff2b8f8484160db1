"""The relations between a node's processes (/proc), and what keeps them together (prctl(2))."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping

from parsl.common.processes import ProcessEntry, process_table

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_SIGKILL = 9


def _prctl(option: int, argument: int) -> None:
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(option, argument, 0, 0, 0)


def become_subreaper() -> None:
    """Make orphaned descendants of this process its children. Linux only."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(number: int = _SIGKILL) -> None:
    """Have the kernel send this process a signal when its parent ends, however that happens. Linux only."""
    _prctl(_PR_SET_PDEATHSIG, number)


class Processes:
    """The living processes of this host at one moment, without zombies; by default, those of now.

    Reading costs about ten microseconds per process, so use one object for many questions.
    """

    def __init__(self, table: Mapping[int, ProcessEntry] | None = None) -> None:
        self._children: dict[int, list[int]] = {}
        self._sessions: dict[int, set[int]] = {}
        self._table = process_table() if table is None else table
        for pid, entry in self._table.items():
            self._children.setdefault(entry.parent, []).append(pid)
            self._sessions.setdefault(entry.session, set()).add(pid)

    def __repr__(self) -> str:
        return f"<Processes alive={len(self._table)}>"

    def __getitem__(self, pid: int) -> ProcessEntry:
        return self._table[pid]

    def alive(self, pids: Iterable[int]) -> set[int]:
        return set(self._table.keys() & set(pids))

    def children(self, pid: int) -> set[int]:
        """Return the children of a process, including those that it has adopted."""
        return set(self._children.get(pid, ()))

    def descendants(self, pid: int) -> set[int]:
        """Return all processes below `pid`, without itself."""
        found: set[int] = set()
        todo = [pid]
        while todo:
            below = self._children.get(todo.pop(), [])
            found.update(below)
            todo += below
        return found

    def with_descendants(self, pids: Iterable[int]) -> set[int]:
        """Return `pids` and all processes below them."""
        pids = set(pids)
        return pids.union(*(self.descendants(pid) for pid in pids))

    def session_members(self, session: int) -> set[int]:
        return set(self._sessions.get(session, ()))


def signal_processes(pids: Iterable[int], number: int) -> None:
    """Send a signal to each process; ignore those that have ended or belong to another user."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            pass
