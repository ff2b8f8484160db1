"""Stand-ins for batch schedulers: try a configuration on a laptop, and test code that uses a scheduler.

A cluster lives in a directory. Its commands (``qsub``, ``qstat``, …) really run the job scripts on this
host, on simulated nodes, in the environment that the scheduler would give them, and print what the scheduler
prints.

    >>> with PBSCluster(directory, nodes=2) as cluster:                              # doctest: +SKIP
    ...     subprocess.run(["qsub", "job.sh"], env=cluster.environment(), check=True)

``python -m parsl.testing.schedulers pbs --nodes 2 -- python my_workflow.py`` does the same for any program.
Everything ends with the ``with`` block, and with the process that opened it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.testing.schedulers.cluster import PBSCluster, StandInCluster
    from parsl.testing.schedulers.records import AURORA_POLICY, Job, Policy, Queue

__all__ = ["AURORA_POLICY", "Job", "PBSCluster", "Policy", "Queue", "StandInCluster"]


# The commands import this package, too, and must start fast.
def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = "cluster" if name.endswith("Cluster") else "records"
    return getattr(import_module(f"{__name__}.{module}"), name)
