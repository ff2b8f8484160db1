"""``parsl trace [RUN]``: the attempts of a run for Perfetto, or as OpenTelemetry spans."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from parsl.cli import print_error
from parsl.cli.run_choice import NOT_FOUND, NoRun, add_run_arguments, find_run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.eventlog.file import EventReader

_DESCRIPTION = """\
Write a run as a trace in the Trace Event Format: `parsl trace > trace.json`. Open the file at
https://ui.perfetto.dev (all data stay in the browser) or chrome://tracing. A process is a node, a thread is
a worker, a slice is an attempt of a task, and an arrow leads from a task to one that depends on it. With
--otlp, the command sends the attempts to an OpenTelemetry collector instead (extra "opentelemetry").
The exit code is 2 if there is no such run or no event log, 1 if the trace cannot be written or sent.
"""
_FAILED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 2 without a run, 1 if the trace cannot be written or sent, otherwise 0."""
    from parsl.eventlog.file import EventLogError, EventReader

    options = _parse(arguments)
    if options.output is None and options.otlp is None and sys.stdout.isatty():
        print_error(
            "trace", "the trace is not for a terminal; write it to a file: parsl trace RUN > trace.json"
        )
        return _FAILED
    try:
        run = find_run(options.run, options.run_dir)
        with EventReader(run) as reader:
            return _send(reader, options.otlp) if options.otlp else _write(reader, options)
    except (NoRun, EventLogError) as error:
        print_error("trace", error)
        return NOT_FOUND


def _write(reader: EventReader, options: argparse.Namespace) -> int:
    from msgspec.json import Encoder

    from parsl.cli.export.trace_events import trace_events

    encode = Encoder().encode
    try:
        with _output(options.output) as file:
            file.write(b'{"displayTimeUnit":"ms","traceEvents":[\n')
            between = b""
            for event in trace_events(reader.read(), with_flows=not options.no_flows):
                file.write(between + encode(event))
                between = b",\n"
            file.write(b"\n]}\n")
            file.flush()
    except BrokenPipeError:
        # The reader of the pipe needs no more. Python would warn when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        print_error("trace", f"the trace cannot be written: {error}")
        return _FAILED
    return 0


@contextmanager
def _output(path: str | None) -> Iterator[BinaryIO]:
    if path is None:
        yield sys.stdout.buffer
    else:
        with open(path, "wb") as file:
            yield file


def _send(reader: EventReader, endpoint: str) -> int:
    try:
        from parsl.cli.export.spans import ExportError, send_spans
    except ImportError as error:
        print_error("trace", f"--otlp needs a package: pip install 'parsl[opentelemetry]' ({error})")
        return _FAILED
    try:
        number = send_spans(reader.read(), endpoint)
    except ExportError as error:
        print_error("trace", error)
        return _FAILED
    print(f"{number:,} spans sent to {endpoint}")
    return 0


def _endpoint(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"{text!r} is not a URL, such as http://localhost:4318/v1/traces")
    return text


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="parsl trace", description=_DESCRIPTION)
    add_run_arguments(parser)
    parser.add_argument("-o", dest="output", metavar="FILE", help="write to a file instead of stdout")
    parser.add_argument("--no-flows", action="store_true", help="write no arrows for dependencies")
    parser.add_argument(
        "--otlp",
        metavar="ENDPOINT",
        type=_endpoint,
        help="send the attempts as spans by OTLP over HTTP, such as to http://localhost:4318/v1/traces",
    )
    parser.add_argument("--json", action="store_true", help="does nothing: a trace is JSON")
    return parser.parse_args(arguments)
