"""The command that starts a manager: process_worker_pool.py, named by users' launch_cmd templates."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any

from parsl.executors.high_throughput.wire.settings import ManagerSettings, read_settings

logger = logging.getLogger("parsl.htex.manager")


def main(arguments: list[str] | None = None) -> int:
    """Run a manager until it is told to stop. Returns: the process's exit code."""
    from parsl.executors.high_throughput.manager.arguments import parse_arguments

    try:
        file, block, overrides = parse_arguments(sys.argv[1:] if arguments is None else arguments)
        settings = overrides(read_settings(file))
    except (OSError, ValueError) as error:
        _say(f"The settings of this worker pool cannot be read: {error}")
        return 2
    return run_manager(settings, block)


def run_manager(settings: ManagerSettings, block: str) -> int:
    """The life of a manager process. Returns: its exit code."""
    from parsl.executors.high_throughput.worker.fork_server import start_fork_server

    # Before ZeroMQ and its threads: the fork server must come from a process with one thread only.
    sys.path += [entry for entry in settings.path if entry not in sys.path]
    fork_server_pid, channel = start_fork_server()
    try:
        return _manage(settings, block, channel)
    finally:
        channel.close()
        os.waitpid(fork_server_pid, 0)


def _manage(settings: ManagerSettings, block: str, channel: Any) -> int:
    import platform
    import time

    from parsl.common import descriptors
    from parsl.common.processes import setproctitle
    from parsl.errors import ConfigurationError
    from parsl.executors.high_throughput.manager.block_time import seconds_left
    from parsl.executors.high_throughput.manager.loop import Manager, manager_log_dir
    from parsl.executors.high_throughput.manager.lost_workers import PoolIdentity
    from parsl.executors.high_throughput.manager.registration import (
        NoInterchange,
        RefusedByInterchange,
        connect,
    )
    from parsl.executors.high_throughput.wire.protocol import PROTOCOL_VERSION, Register
    from parsl.version import VERSION

    setproctitle("parsl: HTEX manager")
    name, host = os.urandom(6).hex(), platform.node()
    identity = PoolIdentity(name, block, host)
    try:
        _start_log(Path(manager_log_dir(settings, identity)), is_debug=settings.debug)
        nodes = _find_nodes(settings, host) if settings.mpi_launcher else []
        workers = _place_workers(settings, name, block)
        descriptors.require(len(workers))  # not before the fork server is there: tasks keep the old limit
        left_s = seconds_left(os.environ, settings.walltime_s, time.time())
        ends_at_s = None if left_s is None else time.monotonic() + left_s
        register = Register(
            protocol=PROTOCOL_VERSION,
            manager=name,
            parsl_version=VERSION,
            python_version=f"{sys.version_info.major}.{sys.version_info.minor}",
            host=host,
            block=block,
            pid=os.getpid(),
            workers=len(workers),
            capacity=len(workers) + settings.prefetch,
            nodes=len(nodes),
            launches=settings.max_launches,
            ends_in_s=left_s,
        )
        connection = connect(settings, register)
    except (ConfigurationError, NoInterchange, RefusedByInterchange) as error:
        logger.error("%s", error)
        _say(f"Manager {name} on {host}, block {block}: {error}")
        if isinstance(error, NoInterchange):
            _clear_up(settings)
        return 1
    manager = Manager(register, settings, connection, workers, channel, nodes, ends_at_s)
    logger.info("%r begins with %d workers", manager, len(workers))
    try:
        code = manager.run()
    except BaseException as error:
        logger.exception("the manager ends on an error of its own")
        _say(f"Manager {name} on {host}, block {block}: {type(error).__name__}: {error}")
        raise
    if manager.last_words:
        _say(f"Manager {name} on {host}, block {block}: {manager.last_words}")
    if manager.is_abandoned:
        _clear_up(settings)
    return code


def _clear_up(settings: ManagerSettings) -> None:
    """Remove what a driver that was killed, and its interchange with it, have left on this host."""
    from parsl.executors.high_throughput.wire.connections import is_abandoned
    from parsl.executors.high_throughput.wire.spool import (
        DRIVER_END_TIMEOUT_S,
        remove_directory,
        remove_if_orphaned,
    )

    remove_if_orphaned(settings.spool, DRIVER_END_TIMEOUT_S)
    if settings.socket_directory and is_abandoned(settings.local_socket):
        remove_directory(settings.socket_directory)


def _say(text: str) -> None:
    """To stderr, which ends up in the job's output and, if the block fails, in the error that users see."""
    sys.stderr.write(text + "\n")


def _find_nodes(settings: ManagerSettings, host: str) -> list[str]:
    """The names of the block's nodes."""
    from parsl.errors import ConfigurationError
    from parsl.executors.high_throughput.node.node_list import NoNodes, read_nodes

    try:
        nodes = read_nodes(os.environ, host, settings.nodes_per_block)
    except NoNodes as error:
        raise ConfigurationError(str(error)) from error
    logger.info("%d nodes: %s", len(nodes), ",".join(nodes))
    return nodes


def _place_workers(
    settings: ManagerSettings, name: str, block: str
) -> list[tuple[dict[str, str], list[int]]]:
    """The environment and the CPUs of each worker of this node."""
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
        _say(f"Manager {name}, block {block}: {warning}")
    common = {
        "PARSL_WORKER_COUNT": str(len(placement.workers)),
        "PARSL_WORKER_POOL_ID": name,
        "PARSL_WORKER_BLOCK_ID": block,
    }
    return [
        ({**worker.environment, **common, "PARSL_WORKER_RANK": str(worker.rank)}, list(worker.cpus or ()))
        for worker in placement.workers
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
            f"no log can be written in {directory}: {error.strerror or error}. Give the executor a "
            "worker_logdir_root, or the Config a run_dir, that the nodes may write to"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
