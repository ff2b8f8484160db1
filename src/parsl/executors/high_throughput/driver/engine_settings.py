"""The executor's settings as the machinery needs them, and what interchange and managers are told of them."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import msgspec

from parsl.executors.high_throughput.driver.endpoints import Endpoints
from parsl.executors.high_throughput.manager_selector import (
    BlockIdManagerSelector,
    ManagerSelector,
    RandomManagerSelector,
)
from parsl.executors.high_throughput.wire.protocol import NodeStanding
from parsl.executors.high_throughput.wire.settings import InterchangeSettings, ManagerSettings
from parsl.version import VERSION


class EngineSettings(msgspec.Struct, kw_only=True, frozen=True):
    """The executor's settings, checked, as the machinery needs them."""

    owner: str
    label: str
    log_dir: str
    worker_log_dir: str
    address: str | None
    #: Workers can only be on this host.
    is_local: bool
    worker_port: int | None
    worker_port_range: tuple[int, int] | None
    encrypted: bool
    debug: bool
    interchange_command: list[str] | None
    selector: ManagerSelector
    heartbeat_period_s: float
    heartbeat_threshold_s: float
    drain_period_s: float | None
    cores_per_worker: float
    mem_per_worker_gb: float | None
    enforces_memory: bool
    max_workers: int | None
    prefetch: int
    cpu_affinity: str
    accelerators: list[str]
    #: These as in ManagerSettings.
    mpi_launcher: str = ""
    nodes_per_block: int = 1
    max_launches: int | None = None
    walltime_s: float | None = None


def interchange_settings(
    settings: EngineSettings,
    endpoints: Endpoints,
    cert_dir: str,
    expected: dict[str, str] | None,
    nodes: list[NodeStanding],
) -> bytes:
    """All that an interchange needs, packed.

    Args:
        settings: the executor's.
        endpoints: bound.
        cert_dir: the directory of the keys; empty for none.
        expected: where it takes another's place, the block of each manager that was connected.
        nodes: how nodes stand on which workers have ended.
    """
    selector = type(settings.selector)
    pickled = b""
    if selector not in (RandomManagerSelector, BlockIdManagerSelector):
        import cloudpickle

        pickled = cloudpickle.dumps(settings.selector)
    record = InterchangeSettings(
        listener_fd=endpoints.tcp.fileno() if endpoints.tcp else -1,
        endpoint=endpoints.tcp_endpoint,
        local_socket=endpoints.local_path,
        socket_directory=endpoints.made_directory,
        local_fd=endpoints.local.sock.fileno() if endpoints.local else -1,
        cert_dir=cert_dir,
        spool=endpoints.spool,
        log_file=str(Path(settings.log_dir, "interchange.log")),
        debug=settings.debug,
        heartbeat_period_s=settings.heartbeat_period_s,
        heartbeat_threshold_s=settings.heartbeat_threshold_s,
        counts_nodes=bool(settings.mpi_launcher),
        selector="block_id" if selector is BlockIdManagerSelector else "random",
        pickled_selector=pickled,
        parsl_version=VERSION,
        python_version=f"{sys.version_info.major}.{sys.version_info.minor}",
        path=_absolute_path(),
        is_replacement=expected is not None,
        expected=expected or {},
        nodes=nodes,
    )
    return msgspec.msgpack.encode(record)


def manager_settings(settings: EngineSettings, endpoints: Endpoints, cert_dir: str) -> ManagerSettings:
    """All that a manager needs.

    Args:
        settings: the executor's.
        endpoints: bound.
        cert_dir: the directory of the keys; empty for none.
    """
    return ManagerSettings(
        addresses=endpoints.addresses(),
        port=endpoints.port,
        local_socket=endpoints.local_path,
        local_host=platform.node(),
        socket_directory=endpoints.made_directory,
        cert_dir=cert_dir,
        spool=endpoints.spool,
        log_dir=settings.worker_log_dir,
        debug=settings.debug,
        cores_per_worker=settings.cores_per_worker,
        mem_per_worker_gb=settings.mem_per_worker_gb,
        enforces_memory=settings.enforces_memory,
        max_workers=settings.max_workers,
        prefetch=settings.prefetch,
        heartbeat_period_s=settings.heartbeat_period_s,
        heartbeat_threshold_s=settings.heartbeat_threshold_s,
        drain_period_s=settings.drain_period_s,
        cpu_affinity=settings.cpu_affinity,
        accelerators=settings.accelerators,
        mpi_launcher=settings.mpi_launcher,
        nodes_per_block=settings.nodes_per_block,
        max_launches=settings.max_launches,
        walltime_s=settings.walltime_s,
        path=_absolute_path(),
    )


def _absolute_path() -> list[str]:
    return [os.path.abspath(entry) for entry in sys.path]
