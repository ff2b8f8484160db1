"""An executor that a program starts itself: the first blocks are the program's, or a JobStatusPoller's."""

import os
import sys
import tempfile

from parsl.executors import HighThroughputExecutor
from parsl.jobs.job_status_poller import JobStatusPoller
from parsl.providers import LocalProvider


def started(folder: str) -> HighThroughputExecutor:
    executor = HighThroughputExecutor(
        address="127.0.0.1",
        encrypted=False,
        max_workers_per_node=1,
        provider=LocalProvider(init_blocks=1, min_blocks=0, max_blocks=1),
    )
    executor.run_dir = executor.provider.script_dir = folder
    executor.start()
    return executor


if __name__ == "__main__":
    os.environ["PATH"] = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        executor = started(folder)
        print("started:", len(executor.blocks_to_job_id))
        print("scaled out:", executor.scale_out_facade(executor.provider.init_blocks))
        print(executor.submit(abs, {}, -3).result(timeout=100))
        executor.shutdown()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        executor = started(folder)
        poller = JobStatusPoller(strategy="none", max_idletime=60, strategy_period=0.5)
        poller.add_executors([executor])
        print(executor.submit(abs, {}, -4).result(timeout=100), len(executor.blocks_to_job_id))
        poller.close()
        executor.shutdown()

# prints:
# started: 0
# scaled out: ['0']
# 3
# 4 1
