"""Stand-ins for batch schedulers: try a configuration on a laptop, and test what talks to a scheduler.

A cluster lives in a directory. Its commands (``qsub``, ``qstat``, …) really run the job scripts, on this
host, in the environment that the scheduler would give them, on simulated nodes; and answer in the scheduler's
own words.

    >>> with PBSCluster(directory, nodes=2) as cluster:                              # doctest: +SKIP
    ...     subprocess.run(["qsub", "job.sh"], env=cluster.environment(), check=True)

``python -m parsl.testing.schedulers pbs --nodes 2 -- python my_workflow.py`` does the same for any program.
Nothing outlives the ``with`` block, nor the process that opened it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.testing.schedulers.cluster import StandInCluster
    from parsl.testing.schedulers.clusters import CondorCluster, LSFCluster, PBSCluster, TorqueCluster
    from parsl.testing.schedulers.records import AURORA_POLICY, Job, Policy, Queue

__all__ = [
    "AURORA_POLICY",
    "CondorCluster",
    "Job",
    "LSFCluster",
    "PBSCluster",
    "Policy",
    "Queue",
    "StandInCluster",
    "TorqueCluster",
]

_HOMES = {
    "AURORA_POLICY": "records",
    "CondorCluster": "clusters",
    "Job": "records",
    "LSFCluster": "clusters",
    "PBSCluster": "clusters",
    "Policy": "records",
    "Queue": "records",
    "StandInCluster": "cluster",
    "TorqueCluster": "clusters",
}


# The commands themselves import this package, and must start fast.
def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
