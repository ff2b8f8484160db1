"""``python -m parsl.testing.schedulers pbs -- COMMAND``: run a command next to a stand-in scheduler.

The scheduler's commands are on the PATH of the command. When the command ends, all its jobs end, too.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from tempfile import TemporaryDirectory

from parsl.testing.schedulers.cluster import PBSCluster
from parsl.testing.schedulers.records import AURORA_POLICY, Policy

_POLICIES = {"open": Policy(), "aurora": AURORA_POLICY}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command next to a stand-in cluster; return its exit code, 128 + N if signal N ended it."""
    options = _parse(arguments)
    policy = _POLICIES[options.policy]
    if options.cpus_per_node:
        policy = policy._replace(cpus_per_node=options.cpus_per_node)
    with ExitStack() as stack:
        directory = options.directory or stack.enter_context(TemporaryDirectory(prefix="parsl-"))
        cluster = PBSCluster(directory, options.nodes, flavour=options.flavour, policy=policy)
        return _run_command(options.command, stack.enter_context(cluster).environment())


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m parsl.testing.schedulers",
        usage="%(prog)s [options] SCHEDULER -- COMMAND ...",
        description="Run a command with the stand-in of a batch scheduler on its PATH; jobs run here.",
    )
    parser.add_argument("scheduler", choices=["pbs"])
    parser.add_argument("--nodes", type=int, default=4, help="simulated nodes (default: %(default)s)")
    parser.add_argument("--cpus-per-node", type=int, help="CPUs that each node reports")
    parser.add_argument("--policy", choices=sorted(_POLICIES), default="open", help="the rules of the site")
    parser.add_argument("--flavour", help="the simulated version of the scheduler")
    parser.add_argument("--directory", help="the directory of the cluster's state (default: a temporary one)")
    words = list(sys.argv[1:] if arguments is None else arguments)
    end = words.index("--") if "--" in words else len(words)
    options = parser.parse_args(words[:end])
    options.command = words[end + 1 :]
    if not options.command:
        parser.error("name a command to run after --")
    return options


def _run_command(command: Sequence[str], environment: dict[str, str]) -> int:
    """Run the command, forward signals to it, and return when it has ended."""
    with subprocess.Popen(command, env=environment) as process:
        before = {
            number: signal.signal(number, lambda received, _frame: process.send_signal(received))
            for number in (signal.SIGTERM, signal.SIGHUP)
        }
        # The terminal sends SIGINT to the command as well.
        before[signal.SIGINT] = signal.signal(signal.SIGINT, lambda _number, _frame: None)
        try:
            code = process.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as error:
        sys.exit(f"{os.path.basename(sys.executable)}: {error}")
