"""The executors for the scripts."""

from parsl.config import Config
from parsl.executors import HighThroughputExecutor, ThreadPoolExecutor
from parsl.providers import LocalProvider


def make_config(kind, storage_access=None, **options):
    if kind == "threads":
        executor = ThreadPoolExecutor(label="local_threads", max_threads=4, storage_access=storage_access)
    else:
        executor = HighThroughputExecutor(
            label="local_htex",
            max_workers_per_node=2,
            cores_per_worker=0.1,
            storage_access=storage_access,
            provider=LocalProvider(init_blocks=1, max_blocks=1),
        )
    return Config(executors=[executor], strategy="none", **options)
