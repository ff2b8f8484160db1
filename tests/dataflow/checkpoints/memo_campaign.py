"""Workflows that write checkpoints and are killed; see ``kill_at_random`` for the arguments.

This process imports Parsl once and forks a driver for each run. So a kill costs no start of an interpreter,
and always hits the run itself. The process has no threads, which makes the forks safe.

Each execution of a task adds a line to ``executed-PID`` in the directory of its campaign, with the PID of its
driver: workers may outlive a driver that was killed for as long as their tasks take.
"""

from __future__ import annotations

import os
import random
import select
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from parsl.config import Config
from parsl.dataflow.checkpoints.loaded import LoadedCheckpoints
from parsl.dataflow.dflow import DataFlowKernel
from parsl.dataflow.memoization import BasicMemoizer
from parsl.executors.threads import ThreadPoolExecutor
from parsl.utils import get_all_checkpoints


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
        return ThreadPoolExecutor(max_threads=4)
    from parsl.executors.high_throughput.executor import HighThroughputExecutor
    from parsl.providers import LocalProvider

    return HighThroughputExecutor(max_workers_per_node=2, provider=LocalProvider(init_blocks=1, max_blocks=1))


class Campaign:
    """One workflow that runs again and again in one directory."""

    def __init__(self, directory: Path, executor: str, tasks: int) -> None:
        self.directory, self.executor, self.tasks = directory, executor, tasks
        directory.mkdir()

    def run(self, kill_after_s: float | None) -> bool:
        """Run it, and kill it with SIGKILL after a while; returns whether it was complete before."""
        recorded = self.recorded()
        reader, writer = os.pipe()
        driver = os.fork()
        if driver == 0:
            os.close(reader)
            self._drive(writer)
        os.close(writer)
        if not select.select([reader], [], [], kill_after_s)[0]:
            os.kill(driver, signal.SIGKILL)
        output = os.read(reader, 100)
        os.close(reader)
        status = os.waitstatus_to_exitcode(os.waitpid(driver, 0)[1])
        assert (output, status) == (b"complete", 0) or status == -signal.SIGKILL, (output, status)
        executed = self.executed(driver)
        assert not recorded.intersection(executed), "what was recorded was executed again"
        assert len(executed) == len(set(executed))
        return output == b"complete"

    def _drive(self, writer: int) -> None:
        """Run the workflow in this process, a forked child, which ends here."""
        status = 1
        try:
            config = Config(
                executors=[executor_named(self.executor)],
                memoizer=BasicMemoizer(checkpoint_mode="task_exit"),
                run_dir=str(self.directory / "runs"),
                initialize_logging=False,
            )
            log = str(self.directory / f"executed-{os.getpid()}")
            numbers = range(self.tasks)
            with DataFlowKernel(config) as dfk:
                futures = [dfk.submit(step, (number, log), "all", True, ["log"], {}) for number in numbers]
                assert [future.result() for future in futures] == list(numbers)
            os.write(writer, b"complete")
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)

    def recorded(self) -> set[int]:
        """What can be read in the checkpoints."""
        loaded = LoadedCheckpoints(get_all_checkpoints(str(self.directory / "runs")))
        found = {future.result() for future in loaded.values()}
        loaded.close()
        return found

    def executed(self, driver: int) -> list[int]:
        """The tasks that were executed for a driver."""
        log = self.directory / f"executed-{driver}"
        return [int(line) for line in log.read_text().split()] if log.exists() else []


def kill_at_random(directory: Path, executor: str, tasks: int, kills: int, seed: int) -> None:
    moments = random.Random(seed)
    whole = Campaign(directory / "whole", executor, tasks)
    start_s = time.monotonic()
    assert whole.run(None)
    duration_s = time.monotonic() - start_s
    number = killed = 0
    while killed < kills:
        number += 1
        campaign = Campaign(directory / str(number), executor, tasks)
        while killed < kills and not campaign.run(moments.uniform(0, duration_s)):
            killed += 1
        assert campaign.run(None)
        assert campaign.recorded() == set(range(tasks))
    print(f"killed {killed} times")


if __name__ == "__main__":
    kill_at_random(Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:]))
