"""Terminates all machines of a run, by its tag; also a program, which runs when the driver was killed."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from collections.abc import Callable, Sequence

from parsl.common.commands import python_command
from parsl.providers.machines.cloud import Cloud, Machine, MachineState

#: The pause between two looks at the machines of a run, in seconds.
PAUSE_S = 2.0
#: How many looks are made at most.
MAX_LOOKS = 20


def live_machines(machines: Sequence[Machine]) -> list[Machine]:
    """Return the machines that have not ended."""
    return [machine for machine in machines if machine.state is not MachineState.ENDED]


def sweep(
    cloud: Cloud, run: str, *, quiet_looks: int = 1, sleep: Callable[[float], None] = time.sleep
) -> tuple[list[str], list[str]]:
    """Terminate all machines of a run.

    Args:
        cloud: The service.
        run: The run; see :data:`~parsl.providers.machines.cloud.RUN_TAG`.
        quiet_looks: How many times in a row no machine must be listed. Services may list a new machine
            late, so take more than 1 unless all machines are known.
        sleep: Waits for a number of seconds.

    Returns:
        The machines that were terminated, and those that are still running after all attempts.
    """
    terminated: dict[str, None] = {}
    left: list[str] = []
    quiet = 0
    for look in range(MAX_LOOKS):
        if look:
            sleep(PAUSE_S)
        left = [machine.machine_id for machine in live_machines(cloud.list_run(run))]
        quiet = 0 if left else quiet + 1
        if quiet >= quiet_looks:
            break
        if left:
            cloud.terminate(left)
            terminated.update(dict.fromkeys(left))
    return list(terminated), left


def sweep_command(cloud: Cloud, run: str) -> list[str]:
    """Return the command with which another process terminates the machines of a run."""
    module = type(cloud).__module__
    return [*python_command(__name__), module, json.dumps(cloud.address()), run]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 1 if machines are left, otherwise 0."""
    parser = argparse.ArgumentParser(prog="python -m parsl.providers.machines.sweep", description=__doc__)
    parser.add_argument("module", help="the module of the cloud, such as parsl.providers.aws.ec2")
    parser.add_argument("address", type=json.loads, help="where the cloud is, as JSON")
    parser.add_argument("run", help="the value of the tag parsl-run")
    options = parser.parse_args(arguments)
    cloud: Cloud = importlib.import_module(options.module).reach(options.address)
    terminated, left = sweep(cloud, options.run, quiet_looks=2)
    report = (
        f"{cloud.service}: terminated the machines of run {options.run}: {terminated or 'there were none'}"
    )
    print(report, file=sys.stderr)  # noqa: T201
    if left:
        print(f"still running: {left}", file=sys.stderr)  # noqa: T201
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
