"""The settings with which interchange and managers are started."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import msgspec

from parsl import version
from parsl.curvezmq import load_client_keys
from parsl.executors.high_throughput import manager_selector
from parsl.executors.high_throughput.driver.endpoints import Endpoints
from parsl.executors.high_throughput.wire.protocol import NodeStanding
from parsl.executors.high_throughput.wire.settings import (
    CommonSettings,
    InterchangeSettings,
    ManagerSettings,
    WorkerPoolSettings,
)


class EngineSettings(msgspec.Struct, kw_only=True, frozen=True):
    """The executor's settings, checked."""

    owner: str
    label: str
    log_dir: str
    address: str | None
    #: Whether workers can only run on this host.
    is_local: bool
    #: Whether nodes see the files of the driver.
    shares_files: bool
    worker_port: int | None
    worker_port_range: tuple[int, int] | None
    encrypted: bool
    interchange_command: list[str]
    selector: manager_selector.ManagerSelector
    #: Whether the interchange reports each dispatch.
    reports_dispatch: bool
    #: What managers need; the fields about connections are filled in once there are sockets.
    pool: WorkerPoolSettings


def manager_settings(settings: EngineSettings, endpoints: Endpoints, cert_dir: str) -> ManagerSettings:
    """Return everything a manager needs that sees the files of the driver."""
    local = endpoints.local
    pool = msgspec.structs.replace(
        settings.pool,
        local_socket=str(local.path) if local else "",
        socket_directory=local.made if local else "",
        spool=endpoints.spool,
        cert_dir=cert_dir,
        path=[os.path.abspath(entry) for entry in sys.path],
    )
    return ManagerSettings(
        **msgspec.structs.asdict(pool),
        addresses=endpoints.addresses(),
        port=endpoints.port,
        local_host=platform.node(),
    )


def without_files(settings: ManagerSettings) -> ManagerSettings:
    """Return the same settings for a manager that sees no file of the driver: with the keys themselves."""
    keys = load_client_keys(settings.cert_dir) if settings.cert_dir else None
    return msgspec.structs.replace(
        settings,
        keys=keys,
        cert_dir="",
        local_socket="",
        socket_directory="",
        spool="",
        path=[],
        local_host="",
    )


def interchange_settings(
    settings: EngineSettings,
    managers: ManagerSettings,
    endpoints: Endpoints,
    expected: dict[str, str] | None,
    nodes: list[NodeStanding],
    next_manager: int = 0,
) -> bytes:
    """Pack the settings of an interchange; a replacement gets the expected managers and their blocks."""
    selector, pickled = type(settings.selector), b""
    is_by_block = selector is manager_selector.BlockIdManagerSelector
    if not is_by_block and selector is not manager_selector.RandomManagerSelector:
        import cloudpickle

        pickled = cloudpickle.dumps(settings.selector)
    record = InterchangeSettings(
        **{name: getattr(managers, name) for name in CommonSettings.__struct_fields__},
        listener_fd=endpoints.tcp.fileno() if endpoints.tcp else -1,
        endpoint=endpoints.tcp_endpoint,
        local_fd=endpoints.local.sock.fileno() if endpoints.local else -1,
        log_file=str(Path(settings.log_dir, "interchange.log")),
        counts_nodes=bool(managers.mpi_launcher),
        shared_ranks=managers.shared_ranks,
        selector="block_id" if is_by_block else "random",
        pickled_selector=pickled,
        parsl_version=version.VERSION,
        python_version=platform.python_version(),
        is_replacement=expected is not None,
        expected=expected or {},
        nodes=nodes,
        next_manager=next_manager,
        reports_dispatch=settings.reports_dispatch,
    )
    return msgspec.msgpack.encode(record)
