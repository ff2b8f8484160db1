"""The configuration of Aurora's user guide for a machine that is not Aurora.

The same twelve workers, twelve tile names and CPU list, on this host instead of in PBS jobs.
"""

from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import LocalProvider

tile_names = [f"{gid}.{tid}" for gid in range(6) for tid in range(2)]

aurora_single_tile_config = Config(
    executors=[
        HighThroughputExecutor(
            # One worker per GPU tile
            available_accelerators=tile_names,
            max_workers_per_node=12,
            # Not more than twelve, but not fewer either, however few cores there are
            cores_per_worker=0.01,
            # Aurora's list: processors that this machine does not have are left out, with a warning
            cpu_affinity="list:0-7,104-111:8-15,112-119:16-23,120-127:24-31,128-135:32-39,136-143:40-47,"
            "144-151:52-59,156-163:60-67,164-171:68-75,172-179:76-83,180-187:84-91,188-195:92-99,196-203",
            prefetch_capacity=0,
            provider=LocalProvider(
                init_blocks=1,
                max_blocks=1,
            ),
        ),
    ],
    retries=1,
)
