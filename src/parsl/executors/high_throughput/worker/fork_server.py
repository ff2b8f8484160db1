"""The fork server: a small single-threaded process that starts workers and buries them.

A manager forks it before it loads ZeroMQ or starts a thread. It is the parent of all workers and a *child
subreaper* (prctl(2)): a process that a task leaves behind becomes its child. It ends what it is told to end,
with everything below it; when the manager goes, by whatever way, it ends everything and itself.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from typing import NoReturn

from parsl.common.process_tree import (
    Processes,
    become_subreaper,
    die_with_parent,
    signal_processes,
)
from parsl.executors.high_throughput.wire.protocol import (
    End,
    Exited,
    Fork,
    Forked,
    Sweep,
    Swept,
    decode_to_fork_server,
    encode,
)
from parsl.executors.high_throughput.worker.crash_reports import CrashReports
from parsl.executors.high_throughput.worker.endings import Ending
from parsl.executors.high_throughput.worker.orphans import Orphans, ProcessOwnership
from parsl.executors.high_throughput.worker.sweeper import Sweeper

_PACKET = 64 * 1024
#: Room for one descriptor.
_RIGHTS_SIZE = socket.CMSG_SPACE(4)
#: Orders that are taken in before anything else is looked at.
_BURST = 256
#: How long, in seconds, the processes of a lost manager have between SIGTERM and SIGKILL.
LAST_GRACE_S = 1.0


class ForkServer:
    """Owns the worker processes of one manager. Single-threaded."""

    def __init__(self, manager: socket.socket) -> None:
        self._manager = manager
        self._pid = os.getpid()
        #: The ranks of the workers, by process id.
        self._workers: dict[int, int] = {}
        #: Workers that end, or have ended while something of theirs has not; by rank.
        self._endings: dict[int, Ending] = {}
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._crashes = CrashReports()
        self._orphans = Orphans(self._pid)
        self._sweeper = Sweeper(self._pid, self._workers, self._look)

    def __repr__(self) -> str:
        return f"<ForkServer workers={len(self._workers)} ending={len(self._endings)}>"

    def serve(self) -> None:
        """Fork and bury until the manager is gone."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        poll = select.poll()
        poll.register(self._manager, select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        while True:
            for fd, _ in poll.poll(self._timeout_ms()):
                if fd == self._wake_read:
                    self._clear_wakeups()
                elif not self._serve_manager():
                    return
            self._bury()
            self._finish_endings()
            for worker in self._sweeper.step():
                self._tell(Swept(worker))

    def _timeout_ms(self) -> int | None:
        now = time.monotonic()
        waits = [ending.look_at_s - now for ending in self._endings.values()]
        if (wait_s := self._sweeper.wait_s) is not None:
            waits.append(wait_s)
        return max(0, int(min(waits) * 1000) + 1) if waits else None

    def _clear_wakeups(self) -> None:
        try:
            while os.read(self._wake_read, 4096):
                pass
        except BlockingIOError:
            pass

    def _serve_manager(self) -> bool:
        """Take in the manager's orders. Returns: False when it is gone."""
        for _ in range(_BURST):
            try:
                data, rights, _, _ = self._manager.recvmsg(_PACKET, _RIGHTS_SIZE, socket.MSG_DONTWAIT)
            except (BlockingIOError, InterruptedError):
                return True
            except ConnectionResetError:
                return False
            if not data:
                return False
            message = decode_to_fork_server(data)
            if isinstance(message, Fork):
                self._fork(message, int.from_bytes(rights[0][2], sys.byteorder))
            elif isinstance(message, Sweep):
                self._sweeper.begin(message.pid, message.grace_s)
            else:
                self._end(message)
        return True

    def _fork(self, message: Fork, fd: int) -> None:
        report = self._crashes.prepare()
        pid = os.fork()
        if pid == 0:
            self._crashes.become_worker(report)
            self._become_worker(message, fd)
        os.close(fd)
        self._workers[pid] = message.rank
        self._crashes.started(pid, report)
        self._tell(Forked(message.rank, pid))

    def _become_worker(self, message: Fork, fd: int) -> NoReturn:
        try:
            signal.set_wakeup_fd(-1)
            os.setsid()
            die_with_parent()
            if os.getppid() != self._pid:
                os._exit(1)  # it was too late for that
            self._manager.close()
            os.close(self._wake_read)
            os.close(self._wake_write)
            from parsl.executors.high_throughput.worker.worker import run_worker

            sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=fd)
            run_worker(sock, message)
        finally:
            os._exit(1)

    def _end(self, order: End) -> None:
        """Ask the whole tree of a worker to end; what is left after the grace is killed."""
        if (rank := self._workers.get(order.pid)) is not None:
            ending = self._endings.setdefault(rank, Ending(order.pid, rank))
            ending.grant(time.monotonic() + order.grace_s)

    def _bury(self) -> None:
        """Collect the dead: workers, and whatever of theirs was left to us."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid in self._workers:
                rank = self._workers.pop(pid)
                code = os.waitstatus_to_exitcode(status)
                report = self._crashes.ended(pid, code)
                ending = self._endings.setdefault(rank, Ending(pid, rank))
                ending.exited = Exited(pid, code, usage.ru_maxrss * 1024, report)

    def _finish_endings(self) -> None:
        """A worker counts as gone when all that it started is gone too; then its place can be used again."""
        if not self._endings:
            return
        belongings, now = self._look(), time.monotonic()
        for rank, ending in list(self._endings.items()):
            number, pids = ending.go_on(belongings, now)
            signal_processes(pids, number)
            if ending.is_over and ending.exited is not None:
                del self._endings[rank]
                self._tell(ending.exited)

    def _look(self) -> ProcessOwnership:
        ended = [(ending.worker, rank) for rank, ending in self._endings.items() if ending.exited is not None]
        return self._orphans.look(self._workers, ended)

    def _tell(self, message: Forked | Exited | Swept) -> None:
        try:
            self._manager.send(encode(message))
        except OSError:
            pass  # the manager is gone; the next turn of the loop sees it too

    def end_everything(self) -> None:
        """Nothing of this manager's may be left: TERM, a short grace, KILL, until there is no descendant."""
        signal.set_wakeup_fd(-1)
        deadline = time.monotonic() + LAST_GRACE_S
        signal_processes(Processes().descendants(self._pid), signal.SIGTERM)
        while True:
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                return
            if time.monotonic() >= deadline:
                signal_processes(Processes().descendants(self._pid), signal.SIGKILL)
            time.sleep(0.01)


def start_fork_server() -> tuple[int, socket.socket]:
    """Fork the fork server off this process, which must still have a single thread.

    Returns: its process id and the manager's end of its channel.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        ours.close()
        _serve(theirs)
    theirs.close()
    return pid, ours


def _serve(manager: socket.socket) -> NoReturn:
    code = 1
    try:
        become_subreaper()
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # it ends when the manager does
        # Blocked, not ignored: for a worker that is just being made, it waits until that can be ended by it.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        import parsl.executors.high_throughput.worker.worker
        import parsl.serialize.by_value  # noqa: F401  every worker will need it
        from parsl.common.processes import setproctitle

        setproctitle("parsl: HTEX fork server")
        server = ForkServer(manager)
        try:
            server.serve()
        finally:
            server.end_everything()
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)
