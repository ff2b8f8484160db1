"""Run a task, and print a line when its result is there. Imports only what a script would."""

from __future__ import annotations

import sys

from benchmarks.pools import open_pool
from benchmarks.tasks import noop

if __name__ == "__main__":
    pool = open_pool(sys.argv[1])
    pool.result(pool.submit(noop))
    print("first result", flush=True)
    pool.close()
