"""The part of the PALS stand-in that owns the ranks, as the daemon on a compute node does.

It is a process of its own with one loop, so that the ranks also end when mpiexec itself is killed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence

from parsl.common.processes import terminate_tree
from parsl.testing.pals_ranks import Rank

#: How long ranks have to end after a signal, in seconds, before they are killed.
GRACE_S = 5
_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_AWAITED = (signal.SIGCHLD, signal.SIGALRM, *_STOPPING)
_NOT_FOUND = 127
_NOT_EXECUTABLE = 126


class PalsDaemon:
    """Starts the ranks, waits for them, and leaves nothing behind.

    Args:
        command: What each rank runs.
        environment: What all ranks have in common.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command = list(command)
        self._environment = dict(environment)
        self._ranks: dict[int, Rank] = {}
        self._exit_code: int | None = None

    def __repr__(self) -> str:
        return f"<PalsDaemon {len(self._ranks)} ranks running, exit code {self._exit_code}>"

    def run(self, ranks: Sequence[Rank]) -> int:
        """Run the ranks until all have ended.

        Returns:
            0, or the exit code of the first rank that failed, 128 + N for signal N.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
        # An ignored SIGCHLD (as from nohup-like parents) would let exit codes vanish.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        try:
            for rank in ranks:
                self._ranks[self._start(rank)] = rank
            while self._ranks:
                self._handle(signal.sigwait(_AWAITED))
        finally:
            terminate_tree(os.getpid())
        return self._exit_code or 0

    def _start(self, rank: Rank) -> int:
        pid = os.fork()
        if pid == 0:
            self._become(rank)
        return pid

    def _become(self, rank: Rank) -> None:
        code = _NOT_EXECUTABLE
        try:
            os.setsid()
            if rank.rank != 0:
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            if rank.cpus is not None:
                os.sched_setaffinity(0, rank.cpus)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it; programs do not expect that
            os.execvpe(self._command[0], self._command, {**self._environment, **rank.environment()})
        except FileNotFoundError:
            code = _NOT_FOUND
            _say(f"{rank.host}: rank {rank.rank}: {self._command[0]}: No such file or directory")
        except OSError as error:
            _say(f"{rank.host}: rank {rank.rank}: {self._command[0]}: {error.strerror}")
        finally:
            os._exit(code)

    def _handle(self, number: int) -> None:
        if number == signal.SIGCHLD:
            self._reap()
        elif number == signal.SIGALRM:
            self._signal_ranks(signal.SIGKILL)
        else:
            self._stop(128 + number, number)

    def _reap(self) -> None:
        """Take note of all that have ended; orphans of ranks among them."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            rank = self._ranks.pop(pid, None)
            if rank is not None and status != 0:
                self._note_failure(rank, status)

    def _note_failure(self, rank: Rank, status: int) -> None:
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        code = 128 + number if number else os.WEXITSTATUS(status)
        if self._exit_code is None:
            what = f"died from signal {number}" if number else f"exited with code {code}"
            _say(f"{rank.host}: rank {rank.rank} {what}")
            self._stop(code, signal.SIGTERM)

    def _stop(self, exit_code: int, number: int) -> None:
        if self._exit_code is None:
            self._exit_code = exit_code
            signal.alarm(GRACE_S)
        self._signal_ranks(number)

    def _signal_ranks(self, number: int) -> None:
        for pid in self._ranks:
            try:
                os.killpg(pid, number)
            except ProcessLookupError:
                # It has not made its session yet.
                os.kill(pid, number)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
