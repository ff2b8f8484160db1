"""A stand-in for the mpiexec of HPE PALS: the same options and messages, all ranks on this host.

``python -m parsl.testing.pals_mpiexec -n 24 --ppn 12 --hostfile nodes ./hello``
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from parsl.common.system import become_subreaper, die_with_parent
from parsl.testing.pals_options import USAGE, PalsOptions, PalsUsageError, parse_options
from parsl.testing.pals_ranks import STOP_SIGNALS, PalsDaemon, Rank, plan_ranks, read_hosts


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; return 0, the code of the first rank that failed, or 1 if the line is wrong."""
    try:
        options = parse_options(sys.argv[1:] if arguments is None else arguments)
        if options.is_help:
            sys.stdout.write(USAGE)
            return 0
        ranks = plan_ranks(options, _hosts(options), sorted(os.sched_getaffinity(0)))
    except PalsUsageError as error:
        sys.stderr.write(f"mpiexec: {error}\n{USAGE}")
        return 1
    return _run_with_daemon(options, ranks)


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


def _run_with_daemon(options: PalsOptions, ranks: Sequence[Rank]) -> int:
    """Let a second process own the ranks; that process outlives this one until it has ended them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    parent = os.getpid()
    daemon = os.fork()
    if daemon == 0:
        _run_daemon(options, ranks, parent)
    for number in STOP_SIGNALS:
        signal.signal(number, lambda received, _frame: os.kill(daemon, received))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    _, status = os.waitpid(daemon, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _run_daemon(options: PalsOptions, ranks: Sequence[Rank], parent: int) -> None:
    code = 1
    try:
        os.setsid()
        die_with_parent(signal.SIGTERM)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)  # mpiexec has already ended
        become_subreaper()
        code = PalsDaemon(options.command, {**os.environ, **dict(options.env)}).run(ranks)
    finally:
        os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
