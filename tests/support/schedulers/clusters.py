"""The clusters of the schedulers that only the tests use."""

from __future__ import annotations

from collections.abc import Mapping

from parsl.testing.schedulers.cluster import StandInCluster

_HERE = "tests.support.schedulers"


class TorqueCluster(StandInCluster):
    """A cluster with Torque's ``qsub``, ``qstat`` and ``qdel``."""

    dialect = "torque"
    dialect_class = f"{_HERE}.torque:TorqueDialect"
    server = "torque.cluster.test"
    commands: Mapping[str, str] = {
        "qsub": "parsl.testing.schedulers.qsub:qsub",
        "qstat": f"{_HERE}.torque:qstat",
        "qdel": f"{_HERE}.torque:qdel",
    }


class LSFCluster(StandInCluster):
    """A cluster with LSF's ``bsub``, ``bjobs`` and ``bkill``."""

    dialect = "lsf"
    dialect_class = f"{_HERE}.lsf:LSFDialect"
    commands: Mapping[str, str] = {name: f"{_HERE}.lsf:{name}" for name in ("bsub", "bjobs", "bkill")}


class CondorCluster(StandInCluster):
    """A cluster with HTCondor's ``condor_submit``, ``condor_q``, ``condor_history`` and ``condor_rm``."""

    dialect = "condor"
    dialect_class = f"{_HERE}.condor:CondorDialect"
    commands: Mapping[str, str] = {
        name: f"{_HERE}.condor:{name}"
        for name in ("condor_submit", "condor_q", "condor_history", "condor_rm")
    }
