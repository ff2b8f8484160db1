"""``parsl metrics [RUN]``: the metrics of a run for Prometheus, from a process that only reads its log."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Sequence

from parsl.cli import print_error, refuse
from parsl.cli.console import print_json
from parsl.cli.run_choice import NOT_FOUND, NoRun, add_run_arguments, find_run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_DESCRIPTION = """\
Serve the metrics of a run for Prometheus until Ctrl-C, or print them once: tasks by app and state, run times,
failures, blocks, workers. The command only reads the run's event log. It needs the extra "prometheus":
pip install 'parsl[prometheus]'.
The exit code is 2 if there is no such run or no event log, 1 if the metrics cannot be served.
"""
_FAILED = 1
_PORT = 9477


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 2 without a run, 1 if the metrics cannot be served, otherwise 0."""
    from parsl.eventlog.file import EventLogError
    from parsl.eventlog.watch import RunWatch

    options = _parse(arguments)
    try:
        from prometheus_client import CollectorRegistry

        from parsl.cli.export.run_metrics import RunMetrics
    except ImportError as error:
        print_error("metrics", f"the command needs a package: pip install 'parsl[prometheus]' ({error})")
        return _FAILED
    try:
        run = find_run(options.run, options.run_dir)
        with RunWatch(run) as watch:
            registry = CollectorRegistry(auto_describe=False)
            registry.register(RunMetrics(watch))
            return _publish(registry, run, options)
    except (NoRun, EventLogError) as error:
        print_error("metrics", error)
        return NOT_FOUND


def _publish(registry: CollectorRegistry, run: str, options: argparse.Namespace) -> int:
    if options.json:
        print_json(
            [
                {
                    "name": family.name,
                    "type": family.type,
                    "help": family.documentation,
                    "samples": [
                        {"name": s.name, "labels": s.labels, "value": s.value} for s in family.samples
                    ],
                }
                for family in registry.collect()
            ]
        )
        return 0
    if options.once:
        from prometheus_client import generate_latest

        print(generate_latest(registry).decode(), end="")
        return 0
    return _serve(registry, run, options)


def _serve(registry: CollectorRegistry, run: str, options: argparse.Namespace) -> int:
    from prometheus_client import start_http_server

    try:
        server, thread = start_http_server(options.port, options.address, registry)
    except OSError as error:
        where = f"{options.address}:{options.port}"
        print_error(
            "metrics", f"cannot serve at {where}: {error.strerror or error}. Choose another one: --port"
        )
        return _FAILED
    print(
        f"The metrics of {run} are at http://{options.address}:{server.server_port}/metrics; Ctrl-C ends",
        flush=True,
    )
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        pass
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="parsl metrics", description=_DESCRIPTION)
    add_run_arguments(parser)
    parser.add_argument(
        "--port",
        type=_port,
        default=_PORT,
        metavar="NUMBER",
        help="the port to serve at; 0 for a free one (default: %(default)s)",
    )
    parser.add_argument(
        "--address",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="the address to serve at (default: %(default)s, for this host only)",
    )
    parser.add_argument("--once", action="store_true", help="print the metrics, and exit")
    parser.add_argument("--json", action="store_true", help="print the metrics as JSON, and exit")
    return parser.parse_args(arguments)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        refuse(text, "a port, from 0 to 65535")
    return int(text)
