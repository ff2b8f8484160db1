"""The machine that the script runs on."""

from __future__ import annotations

from typing import Any

from parsl.configs.composing import compose_config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

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
    """Tasks in processes of this machine; nothing listens on a network.

    Args:
        workers: Tasks that run at once, even if there are fewer cores; None: one for each accelerator, or
            else for each core.
        available_accelerators: How many accelerators there are, or their names.
        cpu_affinity: How workers are bound to CPUs.
        worker_init: Shell text to run before the workers are started.
        label: The executor's name, by which apps choose it.
        config_options: Further options of Config, such as ``run_dir``.

    Raises:
        ParameterError: One of them is wrong.
    """
    from parsl.executors import HighThroughputExecutor
    from parsl.providers import LocalProvider

    executor = HighThroughputExecutor(
        label=label,
        max_workers_per_node=workers,
        cores_per_worker=1.0 if workers is None else 1e-3,  # the number is the limit, not the cores
        available_accelerators=available_accelerators,
        cpu_affinity=cpu_affinity,
        provider=LocalProvider(worker_init=worker_init),
    )
    return compose_config(this_machine, executor, config_options, strategy="none")
