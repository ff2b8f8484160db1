"""The executor's settings as the engine needs them, and what interchange and managers receive of them."""

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
from parsl.executors.high_throughput.wire.settings import (
    CommonSettings,
    InterchangeSettings,
    ManagerSettings,
    WorkerPoolSettings,
)
from parsl.version import VERSION


class EngineSettings(msgspec.Struct, kw_only=True, frozen=True):
    """The executor's settings, checked."""

    owner: str
    label: str
    log_dir: str
    address: str | None
    #: Whether workers can only run on this host.
    is_local: bool
    worker_port: int | None
    worker_port_range: tuple[int, int] | None
    encrypted: bool
    interchange_command: list[str] | None
    selector: ManagerSelector
    #: What managers need; the fields about connections are filled in once there are sockets.
    pool: WorkerPoolSettings


def connect(settings: EngineSettings, endpoints: Endpoints, cert_dir: str) -> WorkerPoolSettings:
    """Return the pool's settings with everything that it takes to connect, except for the addresses."""
    return msgspec.structs.replace(
        settings.pool,
        local_socket=endpoints.local_path,
        socket_directory=endpoints.made_directory,
        spool=endpoints.spool,
        cert_dir=cert_dir,
        path=[os.path.abspath(entry) for entry in sys.path],
    )


def manager_settings(pool: WorkerPoolSettings, endpoints: Endpoints) -> ManagerSettings:
    """Return everything a manager needs."""
    return ManagerSettings(
        **msgspec.structs.asdict(pool),
        addresses=endpoints.addresses(),
        port=endpoints.port,
        local_host=platform.node(),
    )


def interchange_settings(
    settings: EngineSettings,
    pool: WorkerPoolSettings,
    endpoints: Endpoints,
    expected: dict[str, str] | None,
    nodes: list[NodeStanding],
) -> bytes:
    """Pack everything an interchange needs; a replacement gets the expected managers and their blocks."""
    selector = type(settings.selector)
    pickled = b""
    if selector not in (RandomManagerSelector, BlockIdManagerSelector):
        import cloudpickle

        pickled = cloudpickle.dumps(settings.selector)
    record = InterchangeSettings(
        **{name: getattr(pool, name) for name in CommonSettings.__struct_fields__},
        listener_fd=endpoints.tcp.fileno() if endpoints.tcp else -1,
        endpoint=endpoints.tcp_endpoint,
        local_fd=endpoints.local.sock.fileno() if endpoints.local else -1,
        log_file=str(Path(settings.log_dir, "interchange.log")),
        counts_nodes=bool(pool.mpi_launcher),
        selector="block_id" if selector is BlockIdManagerSelector else "random",
        pickled_selector=pickled,
        parsl_version=VERSION,
        python_version=f"{sys.version_info.major}.{sys.version_info.minor}",
        is_replacement=expected is not None,
        expected=expected or {},
        nodes=nodes,
    )
    return msgspec.msgpack.encode(record)
