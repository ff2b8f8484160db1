"""Ready configurations: for each machine a function that returns a :class:`parsl.config.Config`.

    >>> from parsl.configs import aurora_tiles                                       # doctest: +SKIP
    >>> parsl.load(aurora_tiles(account="MyProject", queue="prod", nodes_per_block=128))

Values that differ between projects are parameters; the rest suits the machine. ``parsl doctor`` checks the
result before a job waits in the queue.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.configs.machines.aurora import aurora_in_job, aurora_mpi, aurora_tiles
    from parsl.configs.machines.polaris import polaris
    from parsl.configs.machines.slurm_cluster import slurm, slurm_mpi
    from parsl.configs.machines.this_machine import this_machine

__all__ = [
    "aurora_in_job",
    "aurora_mpi",
    "aurora_tiles",
    "polaris",
    "slurm",
    "slurm_mpi",
    "this_machine",
]

_MODULES = {
    "aurora_in_job": "aurora",
    "aurora_mpi": "aurora",
    "aurora_tiles": "aurora",
    "polaris": "polaris",
    "slurm": "slurm_cluster",
    "slurm_mpi": "slurm_cluster",
    "this_machine": "this_machine",
}


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    from importlib import import_module

    function = getattr(import_module(f"{__name__}.machines.{module}"), name)
    globals()[name] = function
    return function


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
