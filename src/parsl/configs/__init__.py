"""Ready configurations: for each machine a function that returns a :class:`parsl.config.Config`.

    >>> from parsl.configs import aurora_tiles                                       # doctest: +SKIP
    >>> parsl.load(aurora_tiles(account="MyProject", queue="prod", nodes_per_block=128))

Values that differ between projects are parameters; the rest suits the machine. ``parsl doctor`` checks the
result before a job waits in the queue.
"""

from __future__ import annotations

from parsl.common import lazy_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.configs.alcf import aurora_in_job, aurora_mpi, aurora_tiles, polaris
    from parsl.configs.general import slurm, slurm_mpi, this_machine

__all__ = ["aurora_in_job", "aurora_mpi", "aurora_tiles", "polaris", "slurm", "slurm_mpi", "this_machine"]

_MODULES = {
    **dict.fromkeys(("aurora_in_job", "aurora_mpi", "aurora_tiles", "polaris"), "parsl.configs.alcf"),
    **dict.fromkeys(("slurm", "slurm_mpi", "this_machine"), "parsl.configs.general"),
}
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
