"""Ready configurations: a function for each machine, which returns a :class:`parsl.config.Config`.

    >>> from parsl.configs import aurora_tiles                                       # doctest: +SKIP
    >>> parsl.load(aurora_tiles(account="MyProject", queue="prod", nodes_per_block=128))

What differs from project to project is a parameter; the rest is right for the machine. ``parsl doctor``
checks the result before it costs queue time.
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
        raise AttributeError(
            f"module {__name__!r} has no attribute {name!r}; there are: {', '.join(__all__)}"
        )
    from importlib import import_module

    function = getattr(import_module(f"{__name__}.machines.{module}"), name)
    globals()[name] = function
    return function


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
