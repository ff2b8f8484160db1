"""The command that starts a manager: process_worker_pool.py, which users' launch_cmd templates name.

Its flags are our own, and those of earlier templates.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

from parsl.executors.high_throughput.wire.settings import (
    SETTINGS_FILE,
    ManagerSettings,
    from_line,
    read_settings,
)
from parsl.executors.high_throughput.worker.fork_server import start_fork_server

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser

#: Flags, the settings that they override, the types of their values, and help texts.
_FLAGS: tuple[tuple[tuple[str, ...], str, type, str], ...] = (
    (("-a", "--addresses"), "addresses", str, "addresses of the interchange, separated by commas"),
    (("-P", "--port", "--worker_port", "--task_port"), "port", int, "port of the interchange"),
    (("--cert_dir",), "cert_dir", str, "directory of the keys, or None"),
    (("-c", "--cores_per_worker"), "cores_per_worker", float, "cores for each worker"),
    (("-m", "--mem_per_worker"), "mem_per_worker_gb", str, "memory in GB for each worker, or None"),
    (("--max_workers_per_node",), "max_workers", str, "maximum number of workers, or inf"),
    (("-p", "--prefetch_capacity"), "prefetch", int, "tasks held beyond one for each worker"),
    (("--hb_period",), "heartbeat_period_s", float, "seconds between heartbeats"),
    (("--hb_threshold",), "heartbeat_threshold_s", float, "silence in seconds before giving up"),
    (("--drain_period",), "drain_period_s", str, "seconds until no more tasks are accepted, or None"),
    (("--cpu-affinity",), "cpu_affinity", str, "how workers are bound to CPUs"),
)
#: Flags with a value that are accepted and ignored.
_IGNORED = (
    "--poll", "-u", "--uid", "-L", "--logconf", "--address_probe_timeout", "--mpi-launcher", "-r",
    "--result_port", "--task_url", "--result_url",
)  # fmt: skip


#: Stands for standard input as the file of the settings.
_STANDARD_INPUT = Path("-")


class CommandLine(NamedTuple):
    """The parsed command line of a worker pool."""

    #: The file of the executor's settings.
    file: Path
    block: str
    #: The values of the flags that are given, by the settings that they override.
    flags: Mapping[str, Any]

    def override(self, settings: ManagerSettings) -> ManagerSettings:
        """Return the settings with the changes that the flags request; ValueError if one is not valid."""
        if not self.flags:
            return settings
        from msgspec.structs import replace

        return replace(settings, **{field: _convert(field, value) for field, value in self.flags.items()})


def _convert(field: str, value: Any) -> object:
    if field in ("mem_per_worker_gb", "drain_period_s"):
        return None if value == "None" else float(value)
    if field == "max_workers":
        return None if value in ("inf", "None") else int(value)
    if field == "addresses":
        return value.split(",")
    return "" if field == "cert_dir" and value == "None" else value


def _make_parser() -> ArgumentParser:
    from argparse import SUPPRESS, ArgumentParser

    parser = ArgumentParser(
        prog="process_worker_pool.py",
        description="Start the manager of one node. Run by HighThroughputExecutor.",
        argument_default=SUPPRESS,
    )
    parser.add_argument(
        "--settings", type=Path, help="file of the executor's settings, or - for standard input"
    )
    parser.add_argument(
        "-l", "--logdir", type=Path, help="log directory; contains the settings, unless they are given"
    )
    parser.add_argument("-b", "--block_id", default="0", help="id of the block")
    for names, field, kind, text in _FLAGS:
        parser.add_argument(*names, dest=field, type=kind, help=text)
    parser.add_argument("-d", "--debug", action="store_true", help="log more")
    parser.add_argument("--available-accelerators", dest="accelerators", nargs="*", help="their names")
    for ignored in _IGNORED:
        parser.add_argument(ignored, help="accepted, without effect")
    parser.add_argument("--enable_mpi_mode", action="store_true", help="accepted, without effect")
    return parser


def parse_arguments(arguments: list[str]) -> CommandLine:
    """Parse the command line; if it is not valid, print the usage and raise SystemExit."""
    if len(arguments) == 4 and arguments[0] == "--settings" and arguments[2] == "--block_id":
        return CommandLine(Path(arguments[1]), arguments[3], {})
    parser = _make_parser()
    found = vars(parser.parse_args(arguments))
    if "settings" not in found and "logdir" not in found:
        parser.error("one of --settings and --logdir is required to find the executor's settings")
    file: Path = found["settings"] if "settings" in found else found["logdir"] / SETTINGS_FILE
    fields = [*(field for _, field, _, _ in _FLAGS), "debug", "accelerators"]
    flags = {field: found[field] for field in fields if field in found}
    for field in ("addresses", "cert_dir"):
        if flags.get(field) == "":  # a template without a value
            del flags[field]
    if found.get("logdir", file.parent) != file.parent:  # a directory of the user's choice, only for logs
        flags["log_dir"] = str(found["logdir"])
    return CommandLine(file, found["block_id"], flags)


def _read(file: Path) -> ManagerSettings:
    """Read the settings: from the file, or for ``-`` from standard input, with logs in a new folder."""
    if file != _STANDARD_INPUT:
        return read_settings(file)
    settings = from_line(sys.stdin.buffer.readline())
    settings.log_dir = mkdtemp(prefix="parsl-logs-")
    return settings


def main(arguments: list[str] | None = None) -> int:
    """Run a manager with its fork server. Return the exit code of the process."""
    try:
        command_line = parse_arguments(sys.argv[1:] if arguments is None else arguments)
        settings = command_line.override(_read(command_line.file))
    except OSError as error:
        sys.stderr.write(
            f"Cannot read the settings of this worker pool, {error.filename}: {error.strerror}. They are in "
            "the run directory, which every node must see; start a container with it (--bind, -v)\n"
        )
        return 2
    except ValueError as error:
        sys.stderr.write(f"Cannot use the settings of this worker pool: {error}\n")
        return 2
    sys.path += [entry for entry in settings.path if entry not in sys.path]
    # Before ZeroMQ and its threads, because the fork server needs a parent with a single thread.
    fork_server_pid, channel = start_fork_server()
    try:
        # After the fork, so that workers do not have the modules that only a manager needs.
        from parsl.executors.high_throughput.manager.start import run_manager

        return run_manager(settings, command_line.block, channel)
    finally:
        channel.close()
        os.waitpid(fork_server_pid, 0)


if __name__ == "__main__":
    sys.exit(main())
