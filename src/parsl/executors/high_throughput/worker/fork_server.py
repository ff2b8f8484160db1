"""The fork server: a single-threaded child of the manager that starts and reaps workers.

As a *child subreaper* (prctl(2)), it adopts the processes that tasks leave behind. On request, it ends a
worker with everything below it; when the manager is gone, it ends everything and itself.
"""

from __future__ import annotations

import faulthandler
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import NoReturn

from parsl.common.processes import Processes, family, left_over, process_table, signal_processes
from parsl.common.system import (
    IS_PORTABLE,
    MAX_RSS_UNIT_BYTES,
    anonymous_file,
    become_subreaper,
    die_with_parent,
    nonblocking_pipe,
)
from parsl.common.system.packets import make_control_pair, open_shared_end
from parsl.executors.high_throughput.wire import fork_orders, protocol
from parsl.executors.high_throughput.worker.reaper import Reaper

_PACKET = 64 * 1024
#: Room for one descriptor.
_RIGHTS_SIZE = socket.CMSG_SPACE(4)
#: Orders that are carried out in one go, before anything else.
_BURST = 256
#: How long the processes of a lost manager have between SIGTERM and SIGKILL, in seconds.
LAST_GRACE_S = 1.0
#: The signals that Python can still report.
_CRASHES = frozenset({signal.SIGSEGV, signal.SIGFPE, signal.SIGABRT, signal.SIGBUS, signal.SIGILL})
#: How much of a report is kept, in bytes: its beginning names the thread that crashed.
_MAX_REPORT_BYTES = 4000
_NO_FILE = -1


class CrashReports:
    """Where in Python workers were when they crashed. Owned by the fork server's loop.

    A dying worker writes to a file without a name, which the fork server reads.
    """

    def __init__(self) -> None:
        self._files: dict[int, int] = {}

    def __repr__(self) -> str:
        return f"<CrashReports of {len(self._files)} workers>"

    def create(self) -> int:
        """Create the file of a worker that is about to be forked. Return its descriptor; -1 for none."""
        try:
            return anonymous_file("parsl-crash-report")
        except OSError:  # out of descriptors: go without
            return _NO_FILE

    def become_worker(self, file: int) -> None:
        """In the worker: report crashes to its file, and close the files of the others."""
        for other in self._files.values():
            os.close(other)
        self._files.clear()
        if file != _NO_FILE:
            faulthandler.enable(file)

    def keep(self, worker: int, file: int) -> None:
        if file != _NO_FILE:
            self._files[worker] = file

    def take(self, worker: int, exit_code: int) -> str:
        """Close the file of a worker that has ended. Return its report; empty if the worker did not crash."""
        file = self._files.pop(worker, _NO_FILE)
        if file == _NO_FILE:
            return ""
        try:
            # If the worker itself did not crash, the report comes from a child that did.
            report = os.pread(file, _MAX_REPORT_BYTES, 0) if -exit_code in _CRASHES else b""
        except OSError:
            report = b""
        finally:
            os.close(file)
        return _shortened(report.decode(errors="replace"))


def _shortened(report: str) -> str:
    """Remove the lines that are the same in every report."""
    own = os.path.dirname(os.path.dirname(__file__))
    noise = (own, 'File "<string>"')
    lines = [line for line in report.splitlines() if not any(text in line for text in noise)]
    return "\n".join(line for line in lines if not line.startswith("Extension modules:")).strip()


class ForkServer:
    """Starts the worker processes of one manager and reports their ends. Single-threaded."""

    def __init__(self, manager: socket.socket) -> None:
        self._manager = manager
        self._pid = os.getpid()
        self._wake_read, self._wake_write = nonblocking_pipe()
        self._crash_reports = CrashReports()
        self._reaper = Reaper(self._pid)

    def __repr__(self) -> str:
        return f"<ForkServer {self._reaper!r}>"

    def serve(self) -> None:
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        poll = select.poll()
        poll.register(self._manager, select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        while True:
            wait_s = self._reaper.wait_s
            for fd, _ in poll.poll(None if wait_s is None else max(0, int(wait_s * 1000) + 1)):
                if fd == self._wake_read:
                    self._clear_wakeups()
                elif not self._serve_manager():
                    return
            self._collect_exits()
            for message in self._reaper.step():
                self._send(message)

    def _clear_wakeups(self) -> None:
        with suppress(BlockingIOError):
            while os.read(self._wake_read, 4096):
                pass

    def _serve_manager(self) -> bool:
        """Carry out the manager's orders. Return False when the manager is gone."""
        for _ in range(_BURST):
            try:
                data, rights, _, _ = self._manager.recvmsg(_PACKET, _RIGHTS_SIZE, socket.MSG_DONTWAIT)
            except (BlockingIOError, InterruptedError):
                return True
            except ConnectionResetError:
                return False
            if not data:
                return False
            match message := fork_orders.decode_to_fork_server(data):
                case fork_orders.Fork():
                    self._fork(message, int.from_bytes(rights[0][2], sys.byteorder))
                case fork_orders.Sweep():
                    self._reaper.sweep(message.pid, message.grace_s)
                case fork_orders.End():
                    self._reaper.end(message.pid, message.grace_s)
        return True

    def _fork(self, message: fork_orders.Fork, fd: int) -> None:
        report = self._crash_reports.create()
        pid = os.fork()
        if pid == 0:
            self._crash_reports.become_worker(report)
            self._become_worker(message, fd)
        os.close(fd)
        self._reaper.add(pid, message.rank)
        self._crash_reports.keep(pid, report)
        self._send(fork_orders.Forked(message.rank, pid))

    def _become_worker(self, message: fork_orders.Fork, fd: int) -> NoReturn:
        try:
            signal.set_wakeup_fd(-1)
            os.setsid()
            die_with_parent()
            if os.getppid() != self._pid:
                os._exit(1)  # the parent ended before the call above
            self._manager.close()
            os.close(self._wake_read)
            os.close(self._wake_write)
            from parsl.executors.high_throughput.worker.worker import run_worker

            sock = open_shared_end(fd)
            run_worker(sock, message)
        finally:
            os._exit(1)

    def _collect_exits(self) -> None:
        """Wait for children that have ended: workers, and their orphans that this process has adopted."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if self._reaper.is_worker(pid):
                code = os.waitstatus_to_exitcode(status)
                report = self._crash_reports.take(pid, code)
                peak_bytes = usage.ru_maxrss * MAX_RSS_UNIT_BYTES
                self._reaper.note_exit(fork_orders.Exited(pid, code, peak_bytes, report))

    def _send(self, message: fork_orders.Forked | fork_orders.Exited | fork_orders.Swept) -> None:
        with suppress(OSError):  # the manager is gone, which the next turn of the loop notices
            self._manager.send(protocol.encode(message))

    def end_everything(self) -> None:
        """End all descendants: SIGTERM, a short grace, and SIGKILL until none is left."""
        signal.set_wakeup_fd(-1)
        deadline = time.monotonic() + LAST_GRACE_S
        # Where there is no subreaper, those that lose their parent are descendants no longer.
        known = family(process_table(), [self._pid])
        signal_processes(known, signal.SIGTERM)
        while True:
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                if not left_over(self._pid, known):
                    return
            if time.monotonic() >= deadline:
                left = left_over(self._pid, known)
                known.update(left)
                signal_processes(left, signal.SIGKILL)
            time.sleep(0.01)


def start_fork_server() -> tuple[int, socket.socket]:
    """Fork the fork server from this process, which must still have a single thread.

    Returns the process id of the fork server, and the manager's end of its channel.
    """
    ours, theirs = make_control_pair()
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
            signal.signal(number, signal.SIG_IGN)  # the fork server ends when the manager does
        # Blocked, not ignored: a SIGTERM for a worker that is just starting waits until it can take effect.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        import parsl.executors.high_throughput.worker.worker
        import parsl.serialize.by_value  # noqa: F401  every worker needs it
        from parsl.common.processes import setproctitle

        setproctitle("parsl: HTEX fork server")
        if IS_PORTABLE:
            Processes()  # loads psutil, for which the end of a worker would wait
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
