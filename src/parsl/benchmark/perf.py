"""``python -m parsl.benchmark.perf``: upstream's path of the command ``parsl-perf``."""

from __future__ import annotations

import sys

from parsl.cli.perf import main as cli_run

__all__ = ["cli_run"]

if __name__ == "__main__":
    sys.exit(cli_run())
