"""What belongs to whom among the processes below a fork server, those included that it has adopted."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping

from parsl.common.process_tree import Processes
from parsl.common.processes import environment_of

_MARK = b"PARSL_WORKER_RANK="
#: The title of a worker, before its rank.
WORKER_TITLE = "parsl: HTEX worker "
#: How long it may be unknown whose an orphan is, in seconds, before it is taken to be nobody's. (Kernels
#: before 5.10 may hold us up for longer while a program is loaded from a file system that hangs.)
DOUBT_LIMIT_S = 10.0
#: How long to wait between two looks, in seconds, and how much longer than a look takes.
_PAUSE_S = 0.02
_PAUSE_FACTOR = 4.0


class CannotTell(Exception):
    """Just now nothing shows under which worker a process was started."""


def rank_of(pid: int) -> int | None:
    """Return the rank of the worker under which a process was started; None if it was under none.

    A program has it in its environment. What was forked and has not become a program has a worker's title.

    Raises:
        CannotTell: It is just becoming a program, or is ending.
    """
    title = WORKER_TITLE.encode()
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            command = file.read().partition(b"\0")[0]
    except OSError:
        raise CannotTell from None
    if command.startswith(title):  # asked first: what has the title may become a program, but not the reverse
        return _number(command.removeprefix(title))
    environment = environment_of(pid)
    if environment is None:
        raise CannotTell
    marks = [variable for variable in environment if variable.startswith(_MARK)]
    return _number(marks[0].removeprefix(_MARK)) if marks else None


def _number(text: bytes) -> int | None:
    return int(text) if text.isdigit() else None


class ProcessOwnership:
    """Who has what, at one moment.

    Args:
        families: the living processes of each worker, by its rank.
        doubtful: orphans of which nobody can say just now whose they are; a later look does.
        took_s: how long the look took, in seconds.
    """

    def __init__(
        self, families: Mapping[int, set[int]], doubtful: Collection[int] = (), took_s: float = 0.0
    ) -> None:
        self.doubtful = doubtful
        #: How long to wait before the next look, if nothing happens, in seconds.
        self.pause_s = max(_PAUSE_S, _PAUSE_FACTOR * took_s)
        self._families = families

    def __repr__(self) -> str:
        return f"<ProcessOwnership of {len(self._families)} workers, doubtful={len(self.doubtful)}>"

    def of(self, rank: int) -> set[int]:
        """The living processes of a worker: itself, all below it, its session, and orphans of its rank."""
        return self._families.get(rank, set())


class Orphans:
    """Finds whose the orphans are that a fork server has adopted.

    Whoever was seen among a worker's processes once stays that worker's, wherever it goes. Others show the
    rank by what they were started with. Those that show nothing for a long time, because they end or become
    a program, are taken to be nobody's.

    Args:
        keeper: the fork server.
        rank_of: says under which worker a process was started, as :func:`rank_of` does.
    """

    def __init__(self, keeper: int, rank_of: Callable[[int], int | None] = rank_of) -> None:
        self._keeper = keeper
        self._rank_of = rank_of
        # Of those alive at the last look, by process id and start: a rank, or since when there is doubt.
        self._ranks: dict[tuple[int, float], int] = {}
        self._doubts: dict[tuple[int, float], float] = {}

    def __repr__(self) -> str:
        return f"<Orphans known={len(self._ranks)} doubtful={len(self._doubts)}>"

    def look(
        self,
        workers: Mapping[int, int],
        ended: Iterable[tuple[int, int]] = (),
        processes: Processes | None = None,
    ) -> ProcessOwnership:
        """Look who is there and whose they are.

        Args:
            workers: the ranks of the fork server's living workers, by process id.
            ended: process ids and ranks of those that have ended, but may have left something.
            processes: the living processes; by default those of now.
        """
        begin = time.monotonic()
        processes = Processes() if processes is None else processes
        roots = {rank: {pid} | processes.session_members(pid) for pid, rank in workers.items()}
        # An id is used again only when nobody is left of the session that had its name.
        roots |= {rank: processes.session_members(pid) for pid, rank in ended if not processes.alive([pid])}
        settled = set(workers).union(*roots.values())
        doubtful = self._assign(processes, processes.children(self._keeper) - settled, roots, begin)
        families = {rank: processes.alive(processes.with_descendants(pids)) for rank, pids in roots.items()}
        self._ranks = {
            (pid, processes[pid].started): rank for rank, family in families.items() for pid in family
        }
        return ProcessOwnership(families, doubtful, time.monotonic() - begin)

    def _assign(
        self, processes: Processes, orphans: Iterable[int], roots: dict[int, set[int]], now: float
    ) -> set[int]:
        """Add orphans to those whose they are. Returns: those of whom it cannot be told."""
        doubts, self._doubts = self._doubts, {}
        doubtful = set()
        for pid in orphans:
            key = (pid, processes[pid].started)
            try:
                rank = self._ranks[key] if key in self._ranks else self._rank_of(pid)
            except CannotTell:
                self._doubts[key] = doubts.get(key, now)
                if now - self._doubts[key] < DOUBT_LIMIT_S:
                    doubtful.add(pid)
            else:
                if rank is not None:
                    roots.setdefault(rank, set()).add(pid)
        return doubtful
