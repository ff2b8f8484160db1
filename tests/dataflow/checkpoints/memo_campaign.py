"""A workflow that writes checkpoints, to be killed: ``python memo_campaign.py DIRECTORY EXECUTOR TASKS``.

Each execution of a task adds a line to ``executed-PID`` in the directory, with the PID of its driver: workers
may outlive a driver that was killed for as long as their tasks take.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from parsl.config import Config
from parsl.dataflow.dflow import DataFlowKernel
from parsl.dataflow.memoization import BasicMemoizer


def step(number: int, log: str) -> int:
    """Leave a trace, and return the number."""
    import os
    import time

    time.sleep(0.001)
    fd = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, f"{number}\n".encode())
    os.close(fd)
    return number


def executor_named(name: str) -> Any:
    if name == "threads":
        from parsl.executors.threads import ThreadPoolExecutor

        return ThreadPoolExecutor(max_threads=4)
    from parsl.executors.high_throughput.executor import HighThroughputExecutor
    from parsl.providers import LocalProvider

    return HighThroughputExecutor(max_workers_per_node=2, provider=LocalProvider(init_blocks=1, max_blocks=1))


def main(directory: str, executor: str, tasks: int) -> None:
    config = Config(
        executors=[executor_named(executor)],
        memoizer=BasicMemoizer(checkpoint_mode="task_exit"),
        run_dir=f"{directory}/runs",
        initialize_logging=False,
    )
    log = f"{directory}/executed-{os.getpid()}"
    with DataFlowKernel(config) as dfk:
        futures = [dfk.submit(step, (number, log), "all", True, ["log"], {}) for number in range(tasks)]
        assert [future.result() for future in futures] == list(range(tasks))
    print("complete")


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
