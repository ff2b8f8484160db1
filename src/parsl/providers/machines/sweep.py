"""Terminates all machines of a run, by its tag; also a program, which runs when the driver was killed."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from parsl.common.commands import python_command
from parsl.providers.api.failure import FailureKind, ServiceError
from parsl.providers.machines.block_status import FRESH_S
from parsl.providers.machines.cloud import Cloud, Machine, MachineState

#: The pause between two looks at the machines of a run, in seconds.
PAUSE_S = 2.0
#: How many looks may find machines.
MAX_LOOKS = 20
#: So many looks without any machine show that there are none, also not those that were created just now.
CERTAIN_LOOKS = int(FRESH_S / PAUSE_S) + 1
#: How many looks may fail for the last process that looks. A failed one takes up to a minute.
MAX_FAILURES = 8
_MAX_PAUSE_S = 120.0


def live_machines(machines: Sequence[Machine]) -> list[Machine]:
    """Return the machines that have not ended."""
    return [machine for machine in machines if machine.state is not MachineState.ENDED]


def check_run(run: str) -> None:
    """Refuse an empty name of a run.

    Raises:
        ValueError: The name is empty: a service might take that as all runs.
    """
    if not run:
        raise ValueError("the name of the run is empty: that could stand for all runs")


def sweep(
    cloud: Cloud,
    run: str,
    *,
    quiet_looks: int = 1,
    failures: int = 1,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[list[str], list[str]]:
    """Terminate all machines of a run.

    Args:
        cloud: The service.
        run: The run; see :data:`~parsl.providers.machines.cloud.RUN_TAG`.
        quiet_looks: How many times in a row no machine must be listed. Services may list a new machine
            late, so take more than 1 unless all machines are known; see :data:`CERTAIN_LOOKS`.
        failures: How many looks or terminations may fail before the failure is raised.
        sleep: Waits for a number of seconds.

    Returns:
        The machines that were terminated, and those that are still running after all attempts.

    Raises:
        ServiceError: The service has failed too often, or denies the requests.
        ValueError: The name of the run is empty.
    """
    check_run(run)
    terminated: dict[str, None] = {}
    quiet, looks = 0, 0
    while True:
        pause_s = PAUSE_S
        try:
            left = [machine.machine_id for machine in live_machines(cloud.list_run(run))]
            quiet, looks = (0, looks + 1) if left else (quiet + 1, looks)
            if quiet >= quiet_looks or looks > MAX_LOOKS:
                return list(terminated), left
            if left:
                cloud.terminate(left)
                terminated.update(dict.fromkeys(left))
        except ServiceError as error:
            quiet, failures = 0, failures - 1
            if failures < 0 or error.kind is FailureKind.DENIED:
                raise
            pause_s = min(max(PAUSE_S, error.failure.retry_after_s or 0.0), _MAX_PAUSE_S)
        sleep(pause_s)


def sweep_command(cloud: Cloud, run: str, quiet_looks: int) -> list[str]:
    """Return the command with which another process terminates the machines of a run."""
    module = type(cloud).__module__
    looks = ["--looks", str(quiet_looks)]
    return [*python_command(__name__), *looks, module, json.dumps(cloud.address()), run]


def cloud_at(module: str, address: Mapping[str, str]) -> Cloud:
    """Return the cloud at an address of :meth:`Cloud.address`; the module is that of its class."""
    cloud: Cloud = importlib.import_module(module).reach(address)
    return cloud


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 1 if machines are left, 2 without the name of a run, otherwise 0."""
    parser = argparse.ArgumentParser(prog="python -m parsl.providers.machines.sweep", description=__doc__)
    parser.add_argument("module", help="the module of the cloud, such as parsl.providers.aws.ec2")
    parser.add_argument("address", type=json.loads, help="where the cloud is, as JSON")
    parser.add_argument("run", help="the value of the tag parsl-run")
    parser.add_argument("--looks", type=int, default=CERTAIN_LOOKS, help="how many find none in a row")
    options = parser.parse_args(arguments)
    if not options.run:
        print("The name of the run is empty: that would be all runs.", file=sys.stderr)  # noqa: T201
        return 2
    cloud = cloud_at(options.module, options.address)
    try:
        terminated, left = sweep(cloud, options.run, quiet_looks=options.looks, failures=MAX_FAILURES)
    except ServiceError as error:
        print(f"machines of run {options.run} may be running, and cost money: {error}", file=sys.stderr)  # noqa: T201
        return 1
    report = (
        f"{cloud.service}: terminated the machines of run {options.run}: {terminated or 'there were none'}"
    )
    print(report, file=sys.stderr)  # noqa: T201
    if left:
        print(f"still running: {left}", file=sys.stderr)  # noqa: T201
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
