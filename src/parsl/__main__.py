"""``python -m parsl COMMAND ...``: what the command ``parsl`` does."""

from __future__ import annotations

import sys

from parsl.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
