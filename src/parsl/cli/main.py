"""``parsl COMMAND ...``: runs the module of the subcommand, and imports no other one."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

#: The module in this package with ``main(arguments) -> exit code``, and the purpose, of each command.
COMMANDS = {
    "clouds": ("clouds", "list the machines that Parsl has created in a cloud, or terminate them"),
    "dashboard": ("dashboard", "show runs in a browser, live and finished ones"),
    "doctor": ("doctor", "check a configuration before it costs queue time"),
    "explain": ("explain", "show what went wrong in a run, and in each attempt of a task"),
    "top": ("top", "watch a run in the terminal"),
    "trace": ("trace", "write the attempts of a run for Perfetto, or send them as OpenTelemetry spans"),
    "metrics": ("metrics", "serve the metrics of a run for Prometheus"),
    "runs": ("runs", "list runs, what became of their tasks, and how they ended"),
    "monitoring": ("monitoring", "write a run into a monitoring database, or complete it there"),
    "perf": ("perf", "measure how many tasks per second a configuration runs"),
}
_USAGE_ERROR = 2
#: What a shell reports about a program that the signal SIGPIPE has ended.
_READER_GONE = 128 + 13


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; return its exit code, 2 for an unknown command, or 141 if no one reads the output."""
    try:
        code = _run(list(sys.argv[1:] if arguments is None else arguments))
        if sys.stdout is not None:  # None in a process without one
            sys.stdout.flush()
    except BrokenPipeError:
        if not _is_reader_gone():
            raise  # of another connection
        return _READER_GONE
    return code


def _is_reader_gone() -> bool:
    """Return whether the reader of stdout or stderr has gone, as `head` does; later output is dropped."""
    gone = [stream for stream in (sys.stdout, sys.stderr) if _has_no_reader(stream)]
    for stream in gone:
        # Python writes what is left when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return bool(gone)


def _has_no_reader(stream: TextIO) -> bool:
    from select import POLLERR, POLLHUP, poll

    try:
        number = stream.fileno()
    except (AttributeError, OSError, ValueError):  # None, or the text of a test or a notebook
        return False
    connection = poll()
    connection.register(number, 0)
    return any(events & (POLLERR | POLLHUP) for _, events in connection.poll(0))


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(_help())
        return 0 if words else _USAGE_ERROR
    if words[0] in ("-V", "--version"):
        from parsl.version import VERSION

        print(f"parsl {VERSION}")
        return 0
    if words[0] not in COMMANDS:
        print(f"parsl: there is no command {words[0]!r}.\n\n{_help()}", file=sys.stderr)
        return _USAGE_ERROR
    from importlib import import_module

    module, _ = COMMANDS[words[0]]
    code: int = import_module(f"parsl.cli.{module}").main(words[1:])
    return code


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {purpose}" for name, (_, purpose) in COMMANDS.items()]
    hint = "`parsl COMMAND --help` shows the options; `parsl --version` shows the version."
    return "\n".join(["usage: parsl COMMAND ...", "", *lines, "", hint])


if __name__ == "__main__":
    sys.exit(main())
