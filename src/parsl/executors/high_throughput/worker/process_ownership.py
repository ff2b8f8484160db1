"""Which processes below a fork server belong to which worker, including orphans that it has adopted."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from parsl.common.process_facts import command_line_of
from parsl.common.processes import Processes, environment_of

_RANK_VARIABLE = b"PARSL_WORKER_RANK="
#: The title of a worker, before its rank.
WORKER_TITLE = "parsl: HTEX worker "
#: How long the owner of an orphan may stay unknown before the orphan counts as unowned, in seconds. (Kernels
#: before 5.10 may block longer while a program is loaded from a file system that hangs.)
UNDECIDED_LIMIT_S = 10.0
#: The shortest pause between two looks, in seconds, and the pause as a multiple of the time of a look.
_PAUSE_S = 0.02
_PAUSE_FACTOR = 4.0


class UnknownOwner(Exception):
    """At the moment, nothing shows under which worker a process was started."""


def rank_of(pid: int) -> int | None:
    """Return the rank of the worker under which a process was started; None if there was no such worker.

    A program has the rank in its environment. A process that was forked without becoming a program has a
    worker's title. UnknownOwner: the process is just becoming a program, or is ending.
    """
    title = WORKER_TITLE.encode()
    try:
        command = command_line_of(pid).partition(b"\0")[0]
    except OSError:
        raise UnknownOwner from None
    if command.startswith(title):  # first, because a titled process may become a program, but not the reverse
        return _number(command.removeprefix(title))
    environment = environment_of(pid)
    if environment is None:
        raise UnknownOwner
    ranks = [variable for variable in environment if variable.startswith(_RANK_VARIABLE)]
    return _number(ranks[0].removeprefix(_RANK_VARIABLE)) if ranks else None


def _number(text: bytes) -> int | None:
    return int(text) if text.isdigit() else None


class ProcessOwnership(NamedTuple):
    """The owners of processes at one moment."""

    #: The living processes of each worker, by its rank.
    families: Mapping[int, set[int]]
    #: Orphans whose owner is not known yet.
    undecided: Collection[int] = ()
    #: How long the look took, in seconds.
    took_s: float = 0.0

    def __repr__(self) -> str:
        return f"<ProcessOwnership of {len(self.families)} workers, undecided={len(self.undecided)}>"

    @property
    def pause_s(self) -> float:
        """How long to wait before the next look if nothing happens, in seconds."""
        return max(_PAUSE_S, _PAUSE_FACTOR * self.took_s)

    def of(self, rank: int) -> set[int]:
        """Return a worker's living processes: itself, its descendants, its session, orphans of its rank."""
        return self.families.get(rank, set())


class OwnershipTracker:
    """Finds the owners of the orphans that a fork server has adopted. Owned by one loop.

    A process that was once seen among a worker's processes stays that worker's, wherever it goes. Other
    orphans show their rank (`rank_of`). Those that show nothing for a long time, because they are ending or
    becoming a program, count as unowned.
    """

    def __init__(self, keeper: int) -> None:
        #: The process id of the fork server.
        self._keeper = keeper
        # Of the processes alive at the last look, by id and start time: the owner's rank, or since when it is
        # unknown.
        self._ranks: dict[tuple[int, float], int] = {}
        self._undecided_since: dict[tuple[int, float], float] = {}

    def __repr__(self) -> str:
        return f"<OwnershipTracker known={len(self._ranks)} undecided={len(self._undecided_since)}>"

    def rank_of(self, pid: int) -> int | None:
        """Return the rank under which an orphan was started, as the function of this name does."""
        return rank_of(pid)

    def look(
        self,
        workers: Mapping[int, int],
        ended: Iterable[tuple[int, int]] = (),
        processes: Processes | None = None,
    ) -> ProcessOwnership:
        """Look which processes there are and which worker owns each.

        Workers are ranks by process id. Those that have ended, by id and rank, may have left processes.
        """
        begin = time.monotonic()
        processes = Processes() if processes is None else processes
        roots = {rank: {pid} | processes.session_members(pid) for pid, rank in workers.items()}
        # The system reuses a process id only when no process is left of the session with that id.
        roots |= {rank: processes.session_members(pid) for pid, rank in ended if not processes.alive([pid])}
        known = set(workers).union(*roots.values())
        undecided = self._assign(processes, processes.children(self._keeper) - known, roots, begin)
        families = {rank: processes.alive(processes.with_descendants(pids)) for rank, pids in roots.items()}
        self._ranks = {
            (pid, processes[pid].started): rank for rank, family in families.items() for pid in family
        }
        return ProcessOwnership(families, undecided, time.monotonic() - begin)

    def _assign(
        self, processes: Processes, orphans: Iterable[int], roots: dict[int, set[int]], now: float
    ) -> set[int]:
        """Add orphans to the processes of their owners. Return those whose owner is not known yet."""
        before, self._undecided_since = self._undecided_since, {}
        undecided = set()
        for pid in orphans:
            key = (pid, processes[pid].started)
            try:
                rank = self._ranks[key] if key in self._ranks else self.rank_of(pid)
            except UnknownOwner:
                since = self._undecided_since[key] = before.get(key, now)
                if now - since < UNDECIDED_LIMIT_S:
                    undecided.add(pid)
            else:
                if rank is not None:
                    roots.setdefault(rank, set()).add(pid)
        return undecided
