"""The machine that runs the script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from parsl.configs.composing import compose_config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.config import Config


def this_machine(
    *,
    workers: int | None = None,
    available_accelerators: int | Sequence[str] = (),
    cpu_affinity: str = "none",
    worker_init: str = "",
    label: str = "this_machine",
    **config_options: Any,
) -> Config:
    """Configure tasks in processes of this machine, without any network connections.

    Args:
        workers: Tasks that run at once, even if there are fewer cores; None for one per accelerator, or
            one per core if there are no accelerators.
        available_accelerators: The number of accelerators, or their names.
        cpu_affinity: How workers are bound to CPUs.
        worker_init: Shell text to run before the workers start.
        label: The executor's label, by which apps select it.
        config_options: Further options of Config, such as ``run_dir``.

    Raises:
        ParameterError: A value is not allowed.
    """
    from parsl.executors import HighThroughputExecutor
    from parsl.providers import LocalProvider

    executor = HighThroughputExecutor(
        label=label,
        max_workers_per_node=workers,
        cores_per_worker=1.0 if workers is None else 1e-3,  # the number of workers is the only limit
        available_accelerators=available_accelerators,
        cpu_affinity=cpu_affinity,
        provider=LocalProvider(worker_init=worker_init),
    )
    return compose_config(this_machine, executor, config_options, strategy="none")
