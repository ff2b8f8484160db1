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
    from parsl.configs.alcf import aurora_in_job as aurora_in_job
    from parsl.configs.alcf import aurora_mpi as aurora_mpi
    from parsl.configs.alcf import aurora_tiles as aurora_tiles
    from parsl.configs.alcf import polaris as polaris
    from parsl.configs.general import slurm as slurm
    from parsl.configs.general import slurm_mpi as slurm_mpi
    from parsl.configs.general import this_machine as this_machine

_MODULES = {
    "aurora_in_job": "parsl.configs.alcf",
    "aurora_mpi": "parsl.configs.alcf",
    "aurora_tiles": "parsl.configs.alcf",
    "polaris": "parsl.configs.alcf",
    "slurm": "parsl.configs.general",
    "slurm_mpi": "parsl.configs.general",
    "this_machine": "parsl.configs.general",
}
__all__ = list(_MODULES)
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
