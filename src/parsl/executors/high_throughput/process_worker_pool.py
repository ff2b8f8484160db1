"""The command that starts a manager: process_worker_pool.py, which users' launch_cmd templates name."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from parsl.executors.high_throughput.wire.settings import ManagerSettings, read_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

    from parsl.executors.high_throughput.manager.lost_workers import PoolIdentity
    from parsl.executors.high_throughput.node.placement import WorkerPlacement
    from parsl.executors.high_throughput.wire.protocol import Register

logger = logging.getLogger("parsl.htex.manager")


def main(arguments: list[str] | None = None) -> int:
    """Run a manager. Return the exit code of the process."""
    from parsl.executors.high_throughput.manager.arguments import parse_arguments

    try:
        command_line = parse_arguments(sys.argv[1:] if arguments is None else arguments)
        settings = command_line.override(read_settings(command_line.file))
    except (OSError, ValueError) as error:
        _print_error(f"Cannot read the settings of this worker pool: {error}")
        return 2
    return run_manager(settings, command_line.block)


def run_manager(settings: ManagerSettings, block: str) -> int:
    """Run a manager process with its fork server. Return the exit code of the process."""
    from parsl.executors.high_throughput.worker.fork_server import start_fork_server

    # Before ZeroMQ and its threads, because the fork server needs a parent with a single thread.
    sys.path += [entry for entry in settings.path if entry not in sys.path]
    fork_server_pid, channel = start_fork_server()
    try:
        return _manage(settings, block, channel)
    finally:
        channel.close()
        os.waitpid(fork_server_pid, 0)


def _manage(settings: ManagerSettings, block: str, channel: socket.socket) -> int:
    import platform
    import time

    from parsl.common import descriptors
    from parsl.common.processes import setproctitle
    from parsl.errors import ConfigurationError
    from parsl.executors.high_throughput.manager.loop import Manager
    from parsl.executors.high_throughput.manager.lost_workers import PoolIdentity
    from parsl.executors.high_throughput.manager.registration import (
        NoInterchange,
        RefusedByInterchange,
        connect,
    )
    from parsl.executors.high_throughput.manager.watcher import Watcher
    from parsl.executors.high_throughput.manager.worker_pool import PoolPlan, WorkerPool
    from parsl.executors.high_throughput.node.facts import seconds_left

    setproctitle("parsl: HTEX manager")
    identity = PoolIdentity(os.urandom(6).hex(), block, platform.node())
    label = f"Manager {identity.manager} on {identity.host}, block {block}"
    try:
        _start_log(Path(identity.log_dir(settings.log_dir)), is_debug=settings.debug)
        nodes = _find_nodes(settings, identity.host) if settings.mpi_launcher else []
        places = _place_workers(settings, identity)
        descriptors.require(len(places))  # after the fork server has started: tasks keep the old limit
        left_s = seconds_left(os.environ, settings.walltime_s, time.time())
        ends_at_s = None if left_s is None else time.monotonic() + left_s
        register = _registration(settings, identity, len(places), len(nodes), left_s)
        connection = connect(settings, register)
    except (ConfigurationError, NoInterchange, RefusedByInterchange) as error:
        logger.error("%s", error)
        _print_error(f"{label}: {error}")
        if isinstance(error, NoInterchange):
            _clean_up(settings)
        return 1
    watcher = Watcher()
    pool = WorkerPool(PoolPlan(identity, places, settings, ends_at_s, nodes), channel, watcher)
    manager = Manager(register, settings, connection, pool, watcher, ends_at_s)
    logger.info("%r starts with %d workers", manager, len(places))
    try:
        code = manager.run()
    except BaseException as error:
        logger.exception("the manager ends because of an error of its own")
        _print_error(f"{label}: {type(error).__name__}: {error}")
        raise
    if manager.error:
        _print_error(f"{label}: {manager.error}")
    if manager.is_abandoned:
        _clean_up(settings)
    return code


def _registration(
    settings: ManagerSettings, identity: PoolIdentity, workers: int, nodes: int, left_s: float | None
) -> Register:
    from parsl.executors.high_throughput.wire.protocol import PROTOCOL_VERSION, Register
    from parsl.version import VERSION

    return Register(
        protocol=PROTOCOL_VERSION,
        manager=identity.manager,
        parsl_version=VERSION,
        python_version=f"{sys.version_info.major}.{sys.version_info.minor}",
        host=identity.host,
        block=identity.block,
        pid=os.getpid(),
        workers=workers,
        capacity=workers + settings.prefetch,
        nodes=nodes,
        launches=settings.max_launches,
        ends_in_s=left_s,
    )


def _clean_up(settings: ManagerSettings) -> None:
    """Remove what a driver that was killed, together with its interchange, has left on this host."""
    from parsl.executors.high_throughput.wire.connections import is_abandoned
    from parsl.executors.high_throughput.wire.spool import (
        DRIVER_END_TIMEOUT_S,
        remove_directory,
        remove_if_orphaned,
    )

    remove_if_orphaned(settings.spool, DRIVER_END_TIMEOUT_S)
    if settings.socket_directory and is_abandoned(settings.local_socket):
        remove_directory(settings.socket_directory)


def _print_error(text: str) -> None:
    """Write to stderr, which the job's output contains and, if the block fails, the error that users see."""
    sys.stderr.write(text + "\n")


def _find_nodes(settings: ManagerSettings, host: str) -> list[str]:
    """Return the names of the block's nodes."""
    from parsl.errors import ConfigurationError
    from parsl.executors.high_throughput.node.node_list import NoNodes, read_nodes

    try:
        nodes = read_nodes(os.environ, host, settings.nodes_per_block)
    except NoNodes as error:
        raise ConfigurationError(str(error)) from error
    logger.info("%d nodes: %s", len(nodes), ",".join(nodes))
    return nodes


def _place_workers(settings: ManagerSettings, identity: PoolIdentity) -> list[WorkerPlacement]:
    """Return the place of each worker, with its whole environment."""
    from parsl.executors.high_throughput.node.facts import read_node_facts
    from parsl.executors.high_throughput.node.placement import PlacementRequest, plan_workers

    request = PlacementRequest(
        cores_per_worker=settings.cores_per_worker,
        mem_per_worker_gb=settings.mem_per_worker_gb,
        max_workers_per_node=settings.max_workers,
        available_accelerators=tuple(settings.accelerators),
        cpu_affinity=settings.cpu_affinity,
    )
    placement = plan_workers(request, read_node_facts(os.environ, settings.accelerators))
    for warning in placement.warnings:
        logger.warning("%s", warning)
        _print_error(f"Manager {identity.manager}, block {identity.block}: {warning}")
    common = {
        "PARSL_WORKER_COUNT": str(len(placement.workers)),
        "PARSL_WORKER_POOL_ID": identity.manager,
        "PARSL_WORKER_BLOCK_ID": identity.block,
    }
    return [
        place._replace(environment={**place.environment, **common, "PARSL_WORKER_RANK": str(place.rank)})
        for place in placement.workers
    ]


def _start_log(directory: Path, *, is_debug: bool) -> None:
    from parsl.common.rundirs import make_directory
    from parsl.errors import ConfigurationError
    from parsl.logconfigs.handlers import start_role_log

    try:
        make_directory(directory)
        start_role_log("parsl", directory / "manager.log", is_debug=is_debug)
    except OSError as error:
        raise ConfigurationError(
            f"cannot write a log in {directory}: {error.strerror or error}. Give the executor a "
            "worker_logdir_root, or the Config a run_dir, to which the nodes may write"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
