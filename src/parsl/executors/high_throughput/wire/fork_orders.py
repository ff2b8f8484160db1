"""The messages between a manager and its fork server, in the format of protocol.py."""

from __future__ import annotations

import msgspec


class Fork(msgspec.Struct, tag=True, array_like=True):
    """Start a worker; the message carries the descriptor of its socket."""

    rank: int
    environment: dict[str, str]
    cpus: list[int]
    #: Directory for large payloads; empty if there is none.
    spool: str = ""
    #: The worker's own log file; empty if it has none.
    log_file: str = ""
    #: Whether the log has a line for each task.
    debug: bool = False
    #: See :class:`CommonSettings <parsl.executors.high_throughput.wire.settings.CommonSettings>`.
    log_config: bytes = b""
    #: The manager's number, for the accounting of tasks.
    manager: int = -1


class End(msgspec.Struct, tag=True, array_like=True):
    """End a worker and every process that it started."""

    pid: int
    grace_s: float


class Sweep(msgspec.Struct, tag=True, array_like=True):
    """End the processes that a finished task has left behind, but not its worker, and reply with `Swept`."""

    pid: int
    grace_s: float


class Forked(msgspec.Struct, tag=True, array_like=True):
    """A worker process has started."""

    rank: int
    pid: int


class Exited(msgspec.Struct, tag=True, array_like=True):
    """A worker and every process that it had started have ended."""

    pid: int
    #: As returned by `os.waitstatus_to_exitcode`: negative for a signal.
    exit_code: int
    peak_memory: int
    #: The worker's Python stack at the time of a crash.
    crash_report: str = ""


class Swept(msgspec.Struct, tag=True, array_like=True):
    """All processes of the task that a worker has finished are gone."""

    pid: int


ToForkServer = Fork | End | Sweep
FromForkServer = Forked | Exited | Swept

decode_to_fork_server = msgspec.msgpack.Decoder(ToForkServer).decode
decode_from_fork_server = msgspec.msgpack.Decoder(FromForkServer).decode
