"""The command ``parsl-visualize``."""

from __future__ import annotations

from importlib import import_module


def cli_run() -> int:
    """Run the command ``parsl-visualize`` with the arguments of this process, and return its exit code."""
    # Commands are in a higher layer: only programs that start upstream's pages by this name need the import.
    code: int = import_module("parsl.cli.dashboard").visualize()
    return code


if __name__ == "__main__":
    raise SystemExit(cli_run())
