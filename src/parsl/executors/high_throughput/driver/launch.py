"""How interchange and managers are started: with which commands and settings."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import sys
from pathlib import Path

import msgspec

from parsl import version
from parsl.errors import ConfigurationError
from parsl.executors.high_throughput import manager_selector
from parsl.executors.high_throughput.driver.endpoints import Endpoints
from parsl.executors.high_throughput.wire.protocol import NodeStanding
from parsl.executors.high_throughput.wire.settings import (
    CommonSettings,
    InterchangeSettings,
    ManagerSettings,
    WorkerPoolSettings,
)

#: The package is imported from where the driver has it, even if that is not on the default path.
_START = "import sys; sys.path.append({root!r}); from {module} import main; sys.exit(main())"


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
    selector: manager_selector.ManagerSelector
    #: What managers need; the fields about connections are filled in once there are sockets.
    pool: WorkerPoolSettings


def manager_settings(settings: EngineSettings, endpoints: Endpoints, cert_dir: str) -> ManagerSettings:
    """Return everything a manager needs."""
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


def interchange_settings(
    settings: EngineSettings,
    managers: ManagerSettings,
    endpoints: Endpoints,
    expected: dict[str, str] | None,
    nodes: list[NodeStanding],
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
        selector="block_id" if is_by_block else "random",
        pickled_selector=pickled,
        parsl_version=version.VERSION,
        python_version=platform.python_version(),
        is_replacement=expected is not None,
        expected=expected or {},
        nodes=nodes,
    )
    return msgspec.msgpack.encode(record)


def python_command(module: str) -> list[str]:
    """Return the command that runs the `main` of a module of this package in the driver's own Python."""
    package = Path(version.__file__).absolute().parent
    return [sys.executable, "-c", _START.format(root=str(package.parent), module=module)]


def interchange_command(given: list[str] | None) -> list[str]:
    """Return the command that starts the interchange: the user's, or None for the driver's own Python."""
    if given is None:
        return python_command("parsl.executors.high_throughput.interchange.command")
    program, *arguments = given
    # The environment of the driver's Python may not be activated: the PATH lacks its programs then.
    neighbor = os.path.join(os.path.dirname(sys.executable), program)
    if "/" in program or shutil.which(program) or not os.access(neighbor, os.X_OK):
        return given
    return [neighbor, *arguments]


def launch_command(
    owner: str, template: str | None, settings_file: str, block_id: str, settings: ManagerSettings
) -> str:
    """Return the shell command that starts a manager: the template filled in, or the driver's own Python."""
    file, block = shlex.quote(settings_file), shlex.quote(block_id)
    if template is None:
        command = shlex.join(python_command("parsl.executors.high_throughput.process_worker_pool"))
        return f"{command} --settings {file} --block_id {block}"
    logdir = shlex.quote(str(Path(settings_file).parent))
    fields = {"settings": file, "block_id": block, "logdir": logdir, **_upstream_fields(settings)}
    try:
        # Older templates are filled in twice, the second time with the block: {{block_id}}.
        return template.format(**fields).replace("{block_id}", block)
    except (KeyError, IndexError, ValueError) as error:
        raise ConfigurationError(
            f"{owner}: launch_cmd {template!r} cannot be filled in: {error!r}. "
            f"Its fields are {', '.join(sorted(fields))}; write {{{{ and }}}} for braces."
        ) from error


def _upstream_fields(settings: ManagerSettings) -> dict[str, object]:
    """Return the fields of older templates: the values of process_worker_pool.py's flags."""
    limit = settings.max_workers
    return {
        "debug": "--debug" if settings.debug else "",
        "max_workers_per_node": "" if limit is None else f"--max_workers_per_node {limit}",
        "addresses": ",".join(settings.addresses),
        "worker_port": settings.port,
        "cert_dir": shlex.quote(settings.cert_dir or "None"),
        "cores_per_worker": settings.cores_per_worker,
        "mem_per_worker": settings.mem_per_worker_gb,
        "prefetch_capacity": settings.prefetch,
        "heartbeat_period": settings.heartbeat_period_s,
        "heartbeat_threshold": settings.heartbeat_threshold_s,
        "drain_period": settings.drain_period_s,
        "cpu_affinity": shlex.quote(settings.cpu_affinity),
        "accelerators": shlex.join(settings.accelerators),
        "logconf": "None",
        "nodes_per_block": 1,
        "poll_period": 10,
        "address_probe_timeout_string": "",
        "enable_mpi_mode": "--enable_mpi_mode" if settings.mpi_launcher else "",
        "mpi_launcher": settings.mpi_launcher or "mpiexec",
    }
