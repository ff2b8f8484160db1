"""The start of a manager, once its fork server runs: its log, nodes and workers' places, then the loop."""

from __future__ import annotations

import logging
import os
import platform
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from parsl.common import descriptors
from parsl.common.processes import setproctitle
from parsl.common.rundirs import make_directory
from parsl.errors import ConfigurationError
from parsl.executors.high_throughput.manager.loop import Manager
from parsl.executors.high_throughput.manager.lost_workers import PoolIdentity
from parsl.executors.high_throughput.manager.registration import NoInterchange, RefusedByInterchange, connect
from parsl.executors.high_throughput.manager.watcher import Watcher
from parsl.executors.high_throughput.manager.worker_pool import PoolPlan, WorkerPool
from parsl.executors.high_throughput.node.facts import read_node_facts, seconds_left, total_memory_bytes
from parsl.executors.high_throughput.node.placement import Placement, WorkerPlacement, plan_workers
from parsl.executors.high_throughput.node.worker_count import PlacementRequest
from parsl.executors.high_throughput.wire import spool
from parsl.executors.high_throughput.wire.connections import is_abandoned
from parsl.executors.high_throughput.wire.protocol import PROTOCOL_VERSION, NodeSize, Register
from parsl.executors.high_throughput.wire.settings import ManagerSettings
from parsl.logconfigs.roles import start_role_log
from parsl.version import VERSION

logger = logging.getLogger("parsl.htex.manager")


def run_manager(settings: ManagerSettings, block: str, fork_server: socket.socket) -> int:
    """Run a manager, whose fork server is at the other end of the channel. Return the process's exit code."""
    setproctitle("parsl: HTEX manager")
    identity = PoolIdentity(os.urandom(6).hex(), block, platform.node())
    label = f"Manager {identity.manager} on {identity.host}, block {block}"
    try:
        _start_log(Path(identity.log_dir(settings.log_dir)), settings)
        nodes = _find_nodes(settings, identity.host) if settings.mpi_launcher else []
        placement = _plan_workers(settings, identity)
        places = _complete(placement, identity)
        descriptors.require(len(places))  # after the fork server has started: tasks keep the old limit
        left_s = seconds_left(os.environ, settings.walltime_s, time.time())
        ends_at_s = None if left_s is None else time.monotonic() + left_s
        register = _registration(settings, identity, len(places), len(nodes), left_s)
        register.notice, register.node = placement.notice, _node_size(places)
        connection = connect(settings, register)
    except (ConfigurationError, NoInterchange, RefusedByInterchange) as error:
        logger.error("%s", error)
        _print_error(f"{label}: {error}")
        if isinstance(error, NoInterchange):
            _clean_up(settings)
        return 1
    watcher = Watcher()
    plan = PoolPlan(identity, places, settings, ends_at_s, nodes, register.number)
    pool = WorkerPool(plan, fork_server, watcher)
    manager = Manager(register, settings, connection, pool, watcher, ends_at_s)
    logger.info("%r starts with %d workers", manager, len(places))
    try:
        code = manager.run()
    except BaseException as error:
        logger.exception("the manager has failed with an internal error")
        _print_error(f"{label}: {type(error).__name__}: {error}")
        raise
    if manager.error:
        _print_error(f"{label}: {manager.error}")
    if manager.is_abandoned:
        _clean_up(settings)
    return code


def _print_error(text: str) -> None:
    """Write to stderr, which the job's output contains and, if the block fails, the error that users see."""
    sys.stderr.write(text + "\n")


def _start_log(directory: Path, settings: ManagerSettings) -> None:
    try:
        make_directory(directory)
        file = directory / "manager.log"
        start_role_log(file, is_debug=settings.debug, log_config=settings.log_config)
    except OSError as error:
        raise ConfigurationError(
            f"cannot write a log in {directory}: {error.strerror or error}. Give the executor a "
            "worker_logdir_root, or the Config a run_dir, to which the nodes may write"
        ) from error


def _find_nodes(settings: ManagerSettings, host: str) -> list[str]:
    from parsl.executors.high_throughput.node.node_list import NoNodes, read_nodes

    try:
        nodes = read_nodes(os.environ, host, settings.nodes_per_block)
    except NoNodes as error:
        raise ConfigurationError(str(error)) from error
    logger.info("%d nodes: %s", len(nodes), ",".join(nodes))
    return nodes


def _plan_workers(settings: ManagerSettings, identity: PoolIdentity) -> Placement:
    node = read_node_facts(os.environ, settings.accelerators, keeps_binding=settings.keeps_binding)
    placement = plan_workers(PlacementRequest.of(settings), node)
    for warning in filter(None, (*placement.warnings, placement.notice)):
        logger.warning("%s", warning)
        _print_error(f"Manager {identity.manager}, block {identity.block}: {warning}")
    return placement


def _complete(placement: Placement, identity: PoolIdentity) -> list[WorkerPlacement]:
    """Return the place of each worker, with its whole environment."""
    common = {
        "PARSL_WORKER_COUNT": str(len(placement.workers)),
        "PARSL_WORKER_POOL_ID": identity.manager,
        "PARSL_WORKER_BLOCK_ID": identity.block,
    }
    return [
        place._replace(environment={**place.environment, **common, "PARSL_WORKER_RANK": str(place.rank)})
        for place in placement.workers
    ]


def _registration(
    settings: ManagerSettings, identity: PoolIdentity, workers: int, nodes: int, left_s: float | None
) -> Register:
    return Register(
        protocol=PROTOCOL_VERSION,
        manager=identity.manager,
        parsl_version=VERSION,
        python_version=platform.python_version(),
        host=identity.host,
        block=identity.block,
        pid=os.getpid(),
        workers=workers,
        capacity=workers + settings.prefetch,
        nodes=nodes,
        launches=settings.max_launches,
        ends_in_s=left_s,
    )


def _node_size(places: Sequence[WorkerPlacement]) -> NodeSize:
    accelerators = dict.fromkeys(place.accelerator for place in places if place.accelerator is not None)
    return NodeSize(os.cpu_count() or 0, total_memory_bytes(), list(accelerators))


def _clean_up(settings: ManagerSettings) -> None:
    """Remove what a driver that was killed, together with its interchange, has left on this host."""
    spool.remove_if_orphaned(settings.spool, spool.DRIVER_END_TIMEOUT_S)
    if settings.socket_directory and is_abandoned(settings.local_socket):
        spool.remove_directory(settings.socket_directory)
