"""What belongs to whom among the processes below a fork server, those included that it has adopted."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping

from parsl.executors.high_throughput.process_tree import Processes
from parsl.processes import environment_of

_MARK = b"PARSL_WORKER_RANK="
#: The title of a worker, before its rank.
WORKER_TITLE = "parsl: HTEX worker "
#: How long the owner of an orphan may be unknown, in seconds, before it counts as nobody's.
DOUBT_LIMIT_S = 10.0


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


class Belongings:
    """Who has what, at one moment.

    Args:
        processes: the living processes.
        strays: orphans by the rank of the worker under which they were started.
        doubtful: orphans of which nobody can say that just now; a later look does.
    """

    def __init__(self, processes: Processes, strays: Mapping[int, set[int]], doubtful: set[int]) -> None:
        self.processes = processes
        self.doubtful = doubtful
        self._strays = strays

    def __repr__(self) -> str:
        return f"<Belongings strays={sum(map(len, self._strays.values()))} doubtful={len(self.doubtful)}>"

    def of(self, worker: int, rank: int) -> set[int]:
        """The living processes of a worker: itself, all below it, its session, and orphans with its rank.

        Args:
            worker: its process id.
            rank: its rank.
        """
        processes = self.processes
        roots = {worker} | processes.session_members(worker) | self._strays.get(rank, set())
        return processes.alive(processes.with_descendants(roots))


class Orphans:
    """Knows the orphans that a fork server has adopted, and keeps in mind whose they are while they end.

    Args:
        keeper: the fork server.
        rank_of: says under which worker a process was started, as :func:`rank_of` does.
    """

    def __init__(self, keeper: int, rank_of: Callable[[int], int | None] = rank_of) -> None:
        self._keeper = keeper
        self._rank_of = rank_of
        # Of those who lived at the last look, by process id and start: a rank, or since when it is in doubt.
        self._ranks: dict[tuple[int, float], int] = {}
        self._doubts: dict[tuple[int, float], float] = {}

    def __repr__(self) -> str:
        return f"<Orphans known={len(self._ranks)} doubtful={len(self._doubts)}>"

    def look(self, workers: Collection[int], processes: Processes | None = None) -> Belongings:
        """Look who is there and whose they are.

        Args:
            workers: the fork server's living workers.
            processes: the living processes; by default those of now.
        """
        processes = Processes() if processes is None else processes
        known, self._ranks = self._ranks, {}
        doubts, self._doubts = self._doubts, {}
        strays: dict[int, set[int]] = {}
        doubtful: set[int] = set()
        now = time.monotonic()
        for pid in processes.children(self._keeper).difference(workers):
            entry = processes[pid]
            if entry.session in workers:
                continue  # it is that one's, as all of its session
            key = (pid, entry.started)
            try:
                rank = known[key] if key in known else self._rank_of(pid)
            except CannotTell:
                self._doubts[key] = doubts.get(key, now)
                if now - self._doubts[key] < DOUBT_LIMIT_S:
                    doubtful.add(pid)
                continue
            if rank is not None:
                self._ranks[key] = rank
                strays.setdefault(rank, set()).add(pid)
        return Belongings(processes, strays, doubtful)
