"""Run the interchange as ``python -m parsl.executors.high_throughput.interchange``."""

import sys

from parsl.executors.high_throughput.interchange.command import main

if __name__ == "__main__":
    sys.exit(main())
