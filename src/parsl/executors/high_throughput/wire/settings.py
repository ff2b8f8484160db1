"""What the driver tells the interchange and the managers when it starts them: one typed record each."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from parsl.executors.high_throughput.wire.protocol import NodeStanding

#: Name of the settings file in the executor's log directory.
SETTINGS_FILE = "manager-settings.json"


class InterchangeSettings(msgspec.Struct, kw_only=True):
    """Everything an interchange needs; written to its inherited socket as the first message."""

    #: Descriptor of the bound and listening TCP socket; -1 for none.
    listener_fd: int
    #: Where it listens, for logs: tcp://address:port.
    endpoint: str
    #: Path of the unix socket for managers on the same host; empty for none.
    local_socket: str
    #: Directory that was made for it, to be removed when the driver has not done so; empty for none.
    socket_directory: str
    #: Descriptor of the bound and listening unix socket; -1 for none.
    local_fd: int
    #: Directory with the CurveZMQ keys; empty when the connections are not encrypted.
    cert_dir: str
    #: Directory for large payloads, to be removed when the driver has not done so; empty for none.
    spool: str
    log_file: str
    debug: bool
    heartbeat_period_s: float
    heartbeat_threshold_s: float
    #: Whether managers have nodes to give to tasks.
    counts_nodes: bool = False
    #: 'random', 'block_id' or a pickled selector of the user's (trusted: it comes from the driver by birth).
    selector: str
    pickled_selector: bytes = b""
    parsl_version: str
    python_version: str
    #: The driver's sys.path.
    path: list[str] = []
    #: It takes the place of one that was lost: what has not ended is sent first, then `Restored`.
    is_replacement: bool = False
    #: The managers that were connected to that one, and their blocks: they hold some of those tasks.
    expected: dict[str, str] = {}
    #: The nodes that were set aside then, or had been.
    nodes: list[NodeStanding] = []


class ManagerSettings(msgspec.Struct, kw_only=True):
    """Everything a manager needs, from a file in the run directory that only the user can read."""

    #: Addresses of the interchange, in the order in which to try them.
    addresses: list[str]
    #: 0 when only the local socket is there.
    port: int
    #: The unix socket, and the name of the host that it is on.
    local_socket: str = ""
    local_host: str = ""
    #: Directory that was made for the socket, to be removed when nobody else has done so; empty for none.
    socket_directory: str = ""
    cert_dir: str = ""
    #: Directory for large payloads between processes of this host, to be removed likewise; empty for none.
    spool: str = ""
    log_dir: str = "."
    #: Log more, and a log for each worker.
    debug: bool = False
    cores_per_worker: float = 1.0
    mem_per_worker_gb: float | None = None
    #: Workers that use more are ended.
    enforces_memory: bool = False
    max_workers: int | None = None
    prefetch: int = 0
    heartbeat_period_s: float = 30
    heartbeat_threshold_s: float = 120
    drain_period_s: float | None = None
    cpu_affinity: str = "none"
    accelerators: list[str] = []
    #: Launcher of MPI programs; empty where tasks do not ask for nodes.
    mpi_launcher: str = ""
    #: How many nodes a block has at least, to be found by its manager where tasks ask for nodes.
    nodes_per_block: int = 1
    #: Most tasks that a block starts where tasks ask for nodes; None for any number.
    max_launches: int | None = None
    #: How long a block may run; None if nobody knows.
    walltime_s: float | None = None
    #: The driver's sys.path.
    path: list[str] = []


def write_settings(file: Path, settings: ManagerSettings) -> None:
    """Write a file that only the user can read.

    Raises: OSError when that is not possible.
    """
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(fd, "wb") as out:
        out.write(msgspec.json.format(msgspec.json.encode(settings)))


def read_settings(file: Path) -> ManagerSettings:
    """Read what `write_settings` wrote.

    Raises: OSError, or msgspec.DecodeError when the file is none of ours.
    """
    return msgspec.json.decode(file.read_bytes(), type=ManagerSettings)
