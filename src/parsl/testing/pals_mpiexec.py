"""A stand-in for HPE PALS' mpiexec: its options and messages, all ranks on this host.

``python -m parsl.testing.pals_mpiexec -n 24 --ppn 12 --hostfile nodes ./hello``
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from parsl.common.process_tree import become_subreaper
from parsl.testing.pals_daemon import PalsDaemon
from parsl.testing.pals_options import USAGE, PalsOptions, PalsUsageError, parse_options
from parsl.testing.pals_ranks import Rank, plan_ranks, read_hosts

_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        arguments: The command line without the program's name; by default this process' own.

    Returns:
        The exit code: that of the first rank that failed, or 0; 1 for a wrong command line.
    """
    try:
        options = parse_options(sys.argv[1:] if arguments is None else arguments)
        if options.wants_help:
            sys.stdout.write(USAGE)
            return 0
        ranks = plan_ranks(options, _hosts(options), sorted(os.sched_getaffinity(0)))
    except PalsUsageError as error:
        sys.stderr.write(f"mpiexec: {error}\n{USAGE}")
        return 1
    return _run_beside(options, ranks)


def _hosts(options: PalsOptions) -> list[str]:
    if options.hosts:
        return list(options.hosts)
    file = options.hostfile or os.environ.get("PBS_NODEFILE")
    if not file:
        return [os.uname().nodename]
    try:
        with open(file) as lines:
            return read_hosts(lines.read())
    except OSError as error:
        raise PalsUsageError(f"cannot read host file {file}: {error.strerror}") from None


def _run_beside(options: PalsOptions, ranks: Sequence[Rank]) -> int:
    """Have another process own the ranks: it outlives this one for as long as it takes to end them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
    parent = os.getpid()
    daemon = os.fork()
    if daemon == 0:
        _run_daemon(options, ranks, parent)
    for number in _FORWARDED:
        signal.signal(number, lambda received, _frame: os.kill(daemon, received))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
    _, status = os.waitpid(daemon, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _run_daemon(options: PalsOptions, ranks: Sequence[Rank], parent: int) -> None:
    code = 1
    try:
        os.setsid()
        _end_with(parent)
        become_subreaper()
        code = PalsDaemon(options.command, {**os.environ, **dict(options.env)}).run(ranks)
    finally:
        os._exit(code)


def _end_with(parent: int) -> None:
    """Get SIGTERM when ``parent`` ends, also if it has ended already."""
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
