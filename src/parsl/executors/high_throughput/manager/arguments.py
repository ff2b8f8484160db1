"""The command line of a worker pool: our own, and the flags of earlier launch_cmd templates."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from parsl.executors.high_throughput.wire.settings import SETTINGS_FILE, ManagerSettings

#: Flags with a value that are accepted and ignored.
_IGNORED = (
    "--poll", "--uid", "--logconf", "--address_probe_timeout", "--mpi-launcher", "-r", "--result_port",
)  # fmt: skip


class CommandLine(NamedTuple):
    """The parsed command line of a worker pool."""

    #: The file of the executor's settings.
    file: Path
    block: str
    #: The flags' values by name; None for flags that are not given.
    flags: Mapping[str, object]

    def override(self, settings: ManagerSettings) -> ManagerSettings:
        """Return the settings with the changes that the flags request."""
        return _override(settings, self.flags) if self.flags else settings


def parse_arguments(arguments: list[str]) -> CommandLine:
    """Parse the command line.

    Raises:
        SystemExit: It is not valid; a message with the usage is printed.
    """
    if len(arguments) == 4 and arguments[0] == "--settings" and arguments[2] == "--block_id":
        return CommandLine(Path(arguments[1]), arguments[3], {})
    return _parse_flags(arguments)


def _parse_flags(arguments: list[str]) -> CommandLine:
    from argparse import ArgumentParser

    parser = ArgumentParser(
        prog="process_worker_pool.py",
        description="Start the manager of one node. Run by HighThroughputExecutor.",
    )
    parser.add_argument("--settings", type=Path, help="file of the executor's settings")
    parser.add_argument("--logdir", type=Path, help="log directory, which contains the settings")
    parser.add_argument("-b", "--block_id", default="0", help="id of the block")
    parser.add_argument("-d", "--debug", action="store_true", help="log more")
    parser.add_argument("-a", "--addresses", help="addresses of the interchange, separated by commas")
    parser.add_argument("--port", "--worker_port", type=int, help="port of the interchange")
    parser.add_argument("--cert_dir", help="directory of the keys, or None")
    parser.add_argument("-c", "--cores_per_worker", type=float, help="cores for each worker")
    parser.add_argument("-m", "--mem_per_worker", help="memory in GB for each worker, or None")
    parser.add_argument("--max_workers_per_node", help="maximum number of workers, or inf")
    parser.add_argument("-p", "--prefetch_capacity", type=int, help="tasks held beyond one for each worker")
    parser.add_argument("--hb_period", type=float, help="seconds between heartbeats")
    parser.add_argument("--hb_threshold", type=float, help="silence in seconds before giving up")
    parser.add_argument("--drain_period", help="seconds until no more tasks are accepted, or None")
    parser.add_argument("--cpu-affinity", help="how workers are bound to CPUs")
    parser.add_argument("--available-accelerators", nargs="*", help="accelerators, one for each worker")
    for ignored in _IGNORED:
        parser.add_argument(ignored, help="accepted, without effect")
    parser.add_argument("--enable_mpi_mode", action="store_true", help="accepted, without effect")
    found = parser.parse_args(arguments)
    if found.settings is None and found.logdir is None:
        parser.error("one of --settings and --logdir is required to find the executor's settings")
    file = found.settings or found.logdir / SETTINGS_FILE
    return CommandLine(file, found.block_id, vars(found))


def _override(settings: ManagerSettings, flags: Mapping[str, object]) -> ManagerSettings:
    from msgspec.structs import replace

    changes: dict[str, object] = {}
    for flag, field in (
        ("port", "port"),
        ("cores_per_worker", "cores_per_worker"),
        ("prefetch_capacity", "prefetch"),
        ("hb_period", "heartbeat_period_s"),
        ("hb_threshold", "heartbeat_threshold_s"),
        ("cpu_affinity", "cpu_affinity"),
        ("available_accelerators", "accelerators"),
    ):
        if flags[flag] is not None:
            changes[field] = flags[flag]
    for flag, field in (("mem_per_worker", "mem_per_worker_gb"), ("drain_period", "drain_period_s")):
        if flags[flag] is not None:
            changes[field] = None if flags[flag] == "None" else float(str(flags[flag]))
    if (workers := flags["max_workers_per_node"]) is not None:
        changes["max_workers"] = None if workers in ("inf", "None") else int(str(workers))
    if flags["addresses"]:
        changes["addresses"] = str(flags["addresses"]).split(",")
    if flags["cert_dir"]:
        changes["cert_dir"] = "" if flags["cert_dir"] == "None" else flags["cert_dir"]
    if flags["debug"]:
        changes["debug"] = True
    return replace(settings, **changes)
