"""Which ranks PALS starts on which node, and the daemon that starts them.

The daemon is a process of its own with one loop, so that the ranks end even if mpiexec itself is killed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from parsl.common.processes import terminate_tree
from parsl.executors.high_throughput.node.cpu_list import LIST_PREFIX, parse_cpu_list
from parsl.testing.pals_options import PalsOptions, PalsUsageError

#: How long ranks have to end after a signal, in seconds, before they are killed.
GRACE_S = 5
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_AWAITED_SIGNALS = (signal.SIGCHLD, signal.SIGALRM, *STOP_SIGNALS)
_NOT_FOUND = 127
_NOT_EXECUTABLE = 126


class Rank(NamedTuple):
    """A process of the MPI program."""

    rank: int
    local_rank: int
    node: int
    host: str
    #: The CPUs that the rank is bound to; None leaves it unbound.
    cpus: tuple[int, ...] | None

    def environment(self) -> dict[str, str]:
        return {
            "PALS_RANKID": str(self.rank),
            "PALS_LOCAL_RANKID": str(self.local_rank),
            "PALS_NODEID": str(self.node),
        }


def plan_ranks(options: PalsOptions, hosts: Sequence[str], cpus: Sequence[int]) -> tuple[Rank, ...]:
    """Fill the nodes with ranks, one after the other; repeated hosts mean the same node."""
    nodes = list(dict.fromkeys(hosts))
    if not nodes:
        raise PalsUsageError("no hosts were given")
    total = options.np or (options.ppn or 1) * len(nodes)
    per_node = options.ppn or -(-total // len(nodes))
    if total > per_node * len(nodes):
        raise PalsUsageError(f"{total} ranks do not fit on {len(nodes)} nodes with {per_node} ranks on each")
    return tuple(
        Rank(rank, local, node, nodes[node], _cpus(options, local, cpus))
        for rank, (node, local) in ((rank, divmod(rank, per_node)) for rank in range(total))
    )


def read_hosts(text: str) -> list[str]:
    """Return the nodes of a node file: one per line, without comments and empty lines."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def _cpus(options: PalsOptions, local_rank: int, usable: Sequence[int]) -> tuple[int, ...] | None:
    """Return those of the rank's CPUs that exist on this host."""
    if options.cpu_bind == "none":
        return None
    if options.cpu_bind.startswith(LIST_PREFIX):
        groups = parse_cpu_list(options.cpu_bind[len(LIST_PREFIX) :])
        return tuple(cpu for cpu in groups[local_rank % len(groups)] if cpu in usable) or None
    width = options.depth if options.cpu_bind == "depth" else 1
    return tuple(usable[local_rank * width : (local_rank + 1) * width]) or None


class PalsDaemon:
    """Starts the ranks, waits for them, and leaves no process behind; owned by a process of its own."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command = list(command)
        self._environment = dict(environment)
        self._ranks: dict[int, Rank] = {}
        self._exit_code: int | None = None

    def __repr__(self) -> str:
        return f"<PalsDaemon {len(self._ranks)} ranks running, exit code {self._exit_code}>"

    def run(self, ranks: Sequence[Rank]) -> int:
        """Run all ranks; return 0, or the code of the first that failed; 128 + N for signal N."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED_SIGNALS)
        # With SIGCHLD ignored (inherited from nohup-like parents), exit codes would be lost.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        try:
            for rank in ranks:
                if (pid := os.fork()) == 0:
                    self._become(rank)
                self._ranks[pid] = rank
            while self._ranks:
                number = signal.sigwait(_AWAITED_SIGNALS)
                if number == signal.SIGCHLD:
                    self._reap()
                elif number == signal.SIGALRM:
                    self._signal_ranks(signal.SIGKILL)
                else:
                    self._stop(128 + number, number)
        finally:
            terminate_tree(os.getpid())
        return self._exit_code or 0

    def _become(self, rank: Rank) -> None:
        code = _NOT_EXECUTABLE
        try:
            os.setsid()
            if rank.rank != 0:
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            if rank.cpus is not None:
                os.sched_setaffinity(0, rank.cpus)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            # Python ignores SIGPIPE; other programs do not expect that.
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.execvpe(self._command[0], self._command, {**self._environment, **rank.environment()})
        except FileNotFoundError:
            code = _NOT_FOUND
            _print_error(f"{rank.host}: rank {rank.rank}: {self._command[0]}: No such file or directory")
        except OSError as error:
            _print_error(f"{rank.host}: rank {rank.rank}: {self._command[0]}: {error.strerror}")
        finally:
            os._exit(code)

    def _reap(self) -> None:
        """Collect all processes that have ended, including orphans of ranks."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            rank = self._ranks.pop(pid, None)
            if rank is not None and status != 0 and self._exit_code is None:
                number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
                code = 128 + number if number else os.WEXITSTATUS(status)
                what = f"died from signal {number}" if number else f"exited with code {code}"
                _print_error(f"{rank.host}: rank {rank.rank} {what}")
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
                # The rank has not created its session yet.
                os.kill(pid, number)


def _print_error(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
