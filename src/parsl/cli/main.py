"""``parsl COMMAND ...``: finds the subcommand, which has a module of its own, and imports nothing else."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: Each command: its module in this package, which has ``main(arguments) -> exit code``, and what it is for.
COMMANDS = {
    "doctor": ("doctor", "check a configuration before it costs queue time"),
    "explain": ("explain", "say what went wrong in a run, and in each attempt of a task"),
    "perf": ("perf", "measure how many tasks a second a configuration does"),
}
_USAGE_ERROR = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand.

    Args:
        arguments: The command line without the program's name; by default this process' own.

    Returns:
        The exit code; 2 if there is no such command.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
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
    return "\n".join(
        ["usage: parsl COMMAND ...", "", *lines, "", "`parsl COMMAND --help` says more; `parsl --version`."]
    )


if __name__ == "__main__":
    sys.exit(main())
