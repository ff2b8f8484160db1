"""The processes of a host, their relations, and ending them with everything that they have started.

A process is known by its id *and* its start time, so that one with a reused id is never signalled.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress

from parsl.common.system import IS_PORTABLE, open_process

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from typing import Any

#: How long processes have to end after SIGTERM, in seconds.
TERM_GRACE_S = 1.0
#: How long the kernel has to end processes after SIGKILL, in seconds.
KILL_GRACE_S = 2.0
_KILL_ROUNDS = 4
#: More bytes than an environment can have (execve(2): three quarters of 8 MiB).
_MAX_ENVIRONMENT = 8 << 20
#: From include/linux/sched.h.
_PF_KTHREAD = 0x00200000
#: How often to list new processes: a host that keeps starting processes must not keep the caller waiting.
_MAX_ROUNDS = 8
_POLL_PERIOD_S = 0.01
_MAX_POLL_S = 86_400.0


class ProcessEntry:
    """One living process: its id, its relations, and its start time (in the system's own unit)."""

    __slots__ = ("group", "parent", "pid", "session", "started")

    def __init__(self, pid: int, parent: int, group: int, session: int, started: float) -> None:
        self.pid = pid
        self.parent = parent
        self.group = group
        self.session = session
        self.started = started

    def __repr__(self) -> str:
        return f"<ProcessEntry {self.pid} parent={self.parent} group={self.group} session={self.session}>"


def is_alive(pid: int) -> bool:
    """Return whether a process exists and has not ended; a zombie has ended."""
    return _entry(pid) is not None


def started_at(pid: int) -> float | None:
    """Return when a process has started, in the system's own unit; None if there is no such process."""
    entry = _entry(pid)
    return None if entry is None else entry.started


def process_table() -> dict[int, ProcessEntry]:
    """Return all living processes by id, without zombies.

    They are read one after the other, while processes start and end. The table contains all those that live
    throughout, and those that these started meanwhile; see :func:`collect_entries`.
    """
    return collect_entries(_list_pids, _entry)


def collect_entries(
    list_pids: Callable[[], Collection[int]], read: Callable[[int], ProcessEntry | None]
) -> dict[int, ProcessEntry]:
    """Read the processes of a changing system so that none is missed between two parents.

    Processes that start after they were listed are in the next list; listing ends when there are no new
    ones. A process whose parent has ended has another parent by now, and is read again. Both are repeated a
    limited number of times. ``read`` returns None for a process that has ended.
    """
    table: dict[int, ProcessEntry] = {}
    seen: set[int] = set()
    for _ in range(_MAX_ROUNDS):
        new = set(list_pids()) - seen
        if not new:
            break
        seen |= new
        table.update((pid, entry) for pid in new if (entry := read(pid)) is not None)
    adopted = {pid for pid, entry in table.items() if entry.parent not in table}
    for _ in range(_MAX_ROUNDS):
        adopted = {pid for pid in adopted if _read_again(pid, table, read)}
    return table


def _read_again(pid: int, table: dict[int, ProcessEntry], read: Callable[[int], ProcessEntry | None]) -> bool:
    """Return whether the process has a new parent that is not in the table either."""
    old, entry = table.pop(pid), read(pid)
    if entry is None:
        return False
    table[pid] = entry
    return entry.parent != old.parent and entry.parent not in table


def _list_pids() -> list[int]:
    if not IS_PORTABLE:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    from psutil import pids

    return list(pids())


class Processes:
    """The relations between the living processes of this host at one moment; by default, of now.

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


def environment_of(pid: int) -> frozenset[bytes] | None:
    """Return the environment that a process was started with, as ``NAME=value``; Linux only.

    It is empty for a thread of the kernel, and for a process that this one may not inspect (proc(5)):
    another user's, or one that is not dumpable. It is None if it cannot be read at the moment: the process is
    becoming another program (execve(2)), is ending (which releases its memory before its files and devices),
    or has ended.
    """
    try:
        environment = _read_environment(pid)
        if not environment:
            with open(f"/proc/{pid}/stat", "rb") as file:
                return frozenset() if has_no_environment(file.read()) else None
    except PermissionError:
        return frozenset()
    except OSError:
        return None
    return frozenset(environment.split(b"\0"))


def _read_environment(pid: int) -> bytes:
    """Read it from any thread with memory: the first thread may have ended before the others."""
    if environment := _read_whole(f"/proc/{pid}/environ"):
        return environment
    tasks = f"/proc/{pid}/task"
    found = (_read_whole(f"{tasks}/{thread}/environ") for thread in os.listdir(tasks))
    return next(filter(None, found), b"")


def _read_whole(path: str) -> bytes:
    """Read an environment in one call, before the process can end; return nothing if it has no memory."""
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(_MAX_ENVIRONMENT)
    except ProcessLookupError:
        return b""


def has_no_environment(stat: bytes) -> bool:
    """Return whether a process was started without an environment or is a thread of the kernel.

    In ``/proc/PID/stat`` (proc_pid_stat(5)), ``startcode``, field 26, is 0 until a program is loaded, and
    again when it ends. Without an environment, ``env_start`` and ``env_end``, fields 50 and 51, are equal.
    ``flags``, field 9, identifies threads of the kernel.
    """
    fields = stat.rpartition(b")")[2].split()
    if int(fields[6]) & _PF_KTHREAD:
        return True
    return fields[23] != b"0" and fields[47] == fields[48]


def family(table: Mapping[int, ProcessEntry], roots: Iterable[int]) -> dict[int, ProcessEntry]:
    """Select the processes that belong to ``roots``, which may have ended; never the calling process.

    These are the roots, their descendants, and the members of every session and process group that one of
    these leads.
    """
    followers: dict[int, list[int]] = {}
    for entry in table.values():
        for leader in {entry.parent, entry.session, entry.group}:
            if leader != entry.pid:
                followers.setdefault(leader, []).append(entry.pid)
    found: set[int] = set()
    todo = [pid for pid in roots if pid > 1]
    while todo:
        pid = todo.pop()
        if pid not in found:
            found.add(pid)
            todo += followers.get(pid, ())
    found.discard(os.getpid())
    return {pid: table[pid] for pid in found if pid in table}


def terminate_tree(pid: int, grace_s: float = TERM_GRACE_S, kill_grace_s: float = KILL_GRACE_S) -> list[int]:
    """End a process and everything that it has started: SIGTERM first, then SIGKILL for what is left.

    The caller must be sure that ``pid`` is the right process, for example because it is a child that it has
    not waited for; if it has ended, the rest of its session and process group is ended. Zombies count as
    ended. Without a grace, SIGKILL is sent at once. Returns the processes that did not end in time.
    """
    members = family(process_table(), [pid])
    known = dict(members)
    if grace_s > 0 and members:
        _signal_all(members.values(), (signal.SIGTERM, signal.SIGCONT))
        _wait_all(members.values(), grace_s)
    for _ in range(_KILL_ROUNDS):
        members = left_over(pid, known)
        if not members:
            break
        known.update(members)
        _signal_all(members.values(), (signal.SIGKILL,))
        _wait_all(members.values(), kill_grace_s / _KILL_ROUNDS)
    else:
        members = left_over(pid, known)
    return sorted(members)


def kill_tree(pid: int) -> list[int]:
    """End a process and everything that it has started with SIGKILL; see :func:`terminate_tree`."""
    return terminate_tree(pid, grace_s=0.0)


def left_over(root: int, known: Mapping[int, ProcessEntry]) -> dict[int, ProcessEntry]:
    """Return the living processes of a tree, including those started since, and those that have left it.

    ``known`` are those that were in the tree before. An id that another process has now is not one of them.
    """
    table = process_table()
    recycled = {pid for pid, entry in known.items() if pid in table and table[pid].started != entry.started}
    roots = (known.keys() | {root}) - recycled
    return {pid: entry for pid, entry in family(table, roots).items() if pid not in recycled}


def _entry(pid: int) -> ProcessEntry | None:
    if not IS_PORTABLE:
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                return parse_stat(pid, file.read())
        except OSError:
            return None
    return _entry_elsewhere(pid)


def parse_stat(pid: int, stat: bytes) -> ProcessEntry | None:
    """Parse the text of ``/proc/PID/stat``; return None for a zombie.

    The command's name is in parentheses and may contain any characters, including parentheses and spaces. A
    process of which only the first thread has ended looks like a zombie but is not.
    """
    fields = stat[stat.rindex(b")") + 2 :].split(None, 20)
    if fields[0] in b"ZX" and int(fields[17]) <= 1:
        return None
    return ProcessEntry(pid, int(fields[1]), int(fields[2]), int(fields[3]), int(fields[19]))


def _entry_elsewhere(pid: int) -> ProcessEntry | None:
    import psutil

    try:
        process = psutil.Process(pid)
        with process.oneshot():  # one read of the system's data for all three
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            parent, started = process.ppid(), process.create_time()
        return ProcessEntry(pid, parent, os.getpgid(pid), os.getsid(pid), started)
    except (psutil.Error, OSError):
        return None


def _signal_all(entries: Iterable[ProcessEntry], numbers: Iterable[int]) -> None:
    for entry in entries:
        with _handle(entry) as handle:
            try:
                for number in numbers:
                    if handle is not None:
                        signal.pidfd_send_signal(handle, number)  # type: ignore[attr-defined,unused-ignore]
                    elif _is_still(entry):
                        os.kill(entry.pid, number)
            except OSError:
                pass  # the process has ended, or belongs to another user


@contextmanager
def _handle(entry: ProcessEntry) -> Generator[int | None, None, None]:
    """Open a descriptor of exactly this process; None if it has ended, or the system has none."""
    try:
        handle = open_process(entry.pid)
    except OSError:
        yield None
        return
    try:
        yield handle if _is_still(entry) else None
    finally:
        os.close(handle)


def _is_still(entry: ProcessEntry) -> bool:
    now = _entry(entry.pid)
    return now is not None and now.started == entry.started


def _wait_all(entries: Iterable[ProcessEntry], limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    for entry in entries:
        if not _wait_one(entry, deadline):
            return


def _wait_one(entry: ProcessEntry, deadline: float) -> bool:
    with _handle(entry) as handle:
        if handle is not None:
            return wait_readable(handle, deadline - time.monotonic())
    while _is_still(entry):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_PERIOD_S)
    return True


def wait_readable(descriptor: int, limit_s: float) -> bool:
    """Return whether a descriptor is readable within the limit; a pidfd is once its process has ended."""
    from select import POLLIN, poll

    poller = poll()
    poller.register(descriptor, POLLIN)
    deadline = time.monotonic() + limit_s
    while True:
        left_s = min(max(0.0, deadline - time.monotonic()), _MAX_POLL_S)
        # One millisecond more, so that poll never returns before the time is up.
        if poller.poll(int(left_s * 1000) + 1):
            return True
        if time.monotonic() >= deadline:
            return False


def wait_for_exit(process: subprocess.Popen[Any], limit_s: float) -> int:
    """Return the exit code of a child of this process, at once when it ends.

    `subprocess` itself looks ever less often, up to 50 ms apart, if its wait has a limit.

    Raises:
        subprocess.TimeoutExpired: It has not ended within the limit (seconds).
    """
    if process.returncode is not None:
        return process.returncode
    try:
        handle = open_process(process.pid)
    except OSError:  # it has ended, or the system has no such descriptors
        return process.wait(limit_s)
    try:
        has_ended = wait_readable(handle, limit_s)
    finally:
        os.close(handle)
    # Another thread may be reaping it at this moment.
    return process.wait(limit_s + 1.0 if has_ended else 0)


def wait_for_child(pid: int) -> None:
    """Wait for the end of a child, which stays a zombie until the caller reaps it."""
    if not IS_PORTABLE:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        return
    while is_alive(pid):
        time.sleep(_POLL_PERIOD_S)


def signal_processes(pids: Iterable[int], number: int) -> None:
    """Send a signal to each process; ignore those that have ended or belong to another user."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            pass


def setproctitle(title: str) -> None:
    """Set the name of this process in ``ps`` and ``top``, if the package setproctitle is installed.

    The short name, of 15 characters, gets no spaces: Slurm with proctrack/linuxproc finds the processes of a
    job in ``/proc/PID/stat``, and cannot end a process whose name contains a space.
    """
    try:
        import setproctitle as package
    except ImportError:
        return
    package.setproctitle(title)
    package.setthreadtitle(title.replace(": ", ":").replace(" ", "-"))


def lower_priority(niceness: int) -> None:
    """Let other processes have precedence over this one: those of its session, and those of others.

    Args:
        niceness: How much to add to this process's niceness; see nice(2).
    """
    os.nice(niceness)
    if os.getsid(0) == os.getpid():
        # Linux first divides the processor among sessions, whose niceness is in this file (sched(7)).
        with suppress(OSError), open("/proc/self/autogroup", "w") as file:
            file.write(str(niceness))
