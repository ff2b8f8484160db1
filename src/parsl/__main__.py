"""``python -m parsl COMMAND ...`` is the same as the command ``parsl``."""

from __future__ import annotations

import sys

from parsl.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
