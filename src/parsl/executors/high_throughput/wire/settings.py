"""The settings that the driver hands to the interchange and to managers when it starts them."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import msgspec

from parsl.curvezmq import CurveKeys
from parsl.executors.high_throughput.wire.protocol import NodeStanding

#: Name of the settings file in the executor's log directory.
SETTINGS_FILE = "manager-settings.json"


class CommonSettings(msgspec.Struct, kw_only=True):
    """What interchange and managers both need."""

    #: Path of the unix socket for managers on the driver's host; empty for none.
    local_socket: str = ""
    #: Directory that was created for the socket, to be removed if the driver cannot; empty for none.
    socket_directory: str = ""
    #: Directory for large payloads between processes of one host, to be removed likewise; empty for none.
    spool: str = ""
    #: Directory with the CurveZMQ keys; empty if the connections are not encrypted.
    cert_dir: str = ""
    #: Log more, and a log file for each worker.
    debug: bool = False
    #: The pickled LogConfig of the run, for the logs of all processes (trusted: it comes from the driver,
    #: through a file that only the user can write); empty for the executor's own logs.
    log_config: bytes = b""
    heartbeat_period_s: float = 30
    heartbeat_threshold_s: float = 120
    #: The driver's sys.path.
    path: list[str] = []


class InterchangeSettings(CommonSettings, kw_only=True):
    """Everything an interchange needs; the first message on its inherited socket."""

    #: Descriptor of the listening TCP socket; -1 for none.
    listener_fd: int
    #: The listening address, for logs: tcp://address:port.
    endpoint: str
    #: Descriptor of the listening unix socket; -1 for none.
    local_fd: int
    log_file: str
    #: Whether managers have nodes to give to tasks.
    counts_nodes: bool = False
    #: How many ranks a node runs at once, so that tasks of one node may share it; 0 if no node is shared.
    shared_ranks: int = 0
    #: 'random', 'block_id' or a pickled selector of the user (trusted: it comes from the parent process).
    selector: str
    pickled_selector: bytes = b""
    parsl_version: str
    python_version: str
    #: Whether it replaces a lost interchange: the tasks that have not ended come first, then `Restored`.
    is_replacement: bool = False
    #: The managers of the lost interchange, and their blocks: they hold some of these tasks.
    expected: dict[str, str] = {}
    #: The number of the next manager that registers for the first time.
    next_manager: int = 0
    #: The nodes that were quarantined then, or had been.
    nodes: list[NodeStanding] = []
    #: Whether to report each dispatch to the driver.
    reports_dispatch: bool = False


class WorkerPoolSettings(CommonSettings, kw_only=True):
    """The parameters of the executor that managers need."""

    log_dir: str = "."
    cores_per_worker: float = 1.0
    mem_per_worker_gb: float | None = None
    #: Whether workers that use more memory are ended.
    enforces_memory: bool = False
    max_workers: int | None = None
    prefetch: int = 0
    drain_period_s: float | None = None
    cpu_affinity: str = "none"
    accelerators: list[str] = []
    #: The CPUs of a node according to the provider; None if the provider does not state them.
    node_cpus: int | None = None
    #: Whether no launcher can have bound managers to CPUs: what they are bound to is the user's choice.
    keeps_binding: bool = False
    #: Launcher of MPI programs; empty where tasks do not request nodes.
    mpi_launcher: str = ""
    #: Minimum number of nodes that the manager of a block has to find, where tasks request nodes.
    nodes_per_block: int = 1
    #: How many ranks of several tasks a node runs at once; 0 if each task has nodes of its own.
    shared_ranks: int = 0
    #: Maximum number of tasks that a block starts where tasks request nodes; None for any number.
    max_launches: int | None = None
    #: How often to measure what running tasks use, in seconds; None for never.
    resource_interval_s: float | None = None
    #: How long a block may run; None if unknown.
    walltime_s: float | None = None


class ManagerSettings(WorkerPoolSettings, kw_only=True):
    """Everything a manager needs, from a file in the run directory that only the user can read.

    Where nodes do not see the driver's files, it travels in the command of the block instead.
    """

    #: Addresses of the interchange, in the order in which to try them.
    addresses: list[str]
    #: 0 when there is only the local socket.
    port: int
    #: Name of the host of the local socket.
    local_host: str = ""
    #: The CurveZMQ keys themselves, where nodes do not see the driver's files.
    keys: CurveKeys | None = None


def write_settings(file: Path, settings: ManagerSettings) -> None:
    """Write a file that only the user can read."""
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(fd, "wb") as out:
        out.write(msgspec.json.format(msgspec.json.encode(settings)))


def read_settings(file: Path) -> ManagerSettings:
    """Read what `write_settings` wrote."""
    return msgspec.json.decode(file.read_bytes(), type=ManagerSettings)


def to_line(settings: ManagerSettings) -> str:
    """Return the settings as characters that no shell interprets."""
    return base64.b64encode(msgspec.json.encode(settings)).decode()


def from_line(line: bytes) -> ManagerSettings:
    """Read what `to_line` wrote; ValueError if it is something else."""
    return msgspec.json.decode(base64.b64decode(line.strip(), validate=True), type=ManagerSettings)
