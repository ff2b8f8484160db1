"""Work Queue or TaskVine used directly: a process with its library, which may be another Python's.

``cctools_direct.py MODULE`` prints the port for workers. For each number that it reads, it runs as many no-op
functions, and prints a line when all have ended. Standard library only.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any


def take(number: int) -> int:
    """Return the argument, as ``benchmarks.tasks.take``."""
    return number


def main(module: str) -> None:
    """Serve the workload until it closes the standard input."""
    library = importlib.import_module(module)
    manager = (library.WorkQueue if hasattr(library, "WorkQueue") else library.Manager)(port=0)
    print(manager.port, flush=True)
    for line in sys.stdin:
        for number in range(int(line)):
            manager.submit(library.PythonTask(take, number))
        for _ in range(int(line)):
            _check(_next(manager))
        print("done", flush=True)


def _next(manager: Any) -> Any:
    while (task := manager.wait(5)) is None:
        pass
    return task


def _check(task: Any) -> None:
    if not isinstance(task.output, int):
        raise SystemExit(f"the task has failed: {task.output!r}")


if __name__ == "__main__":
    main(*sys.argv[1:])
