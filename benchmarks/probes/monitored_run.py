"""Run four tasks with MonitoringHub, as a script does. Ours and upstream's are used in the same way."""

from __future__ import annotations

import parsl
from benchmarks.pools import WORKERS
from benchmarks.pools.parsl_pool import process_config
from benchmarks.tasks import take
from parsl.monitoring import MonitoringHub

TASKS = 4

if __name__ == "__main__":
    config = process_config(WORKERS)
    config.monitoring = MonitoringHub(hub_address="127.0.0.1", resource_monitoring_interval=1)
    with parsl.load(config):
        app = parsl.python_app(take)
        for future in [app(number) for number in range(TASKS)]:
            future.result()
