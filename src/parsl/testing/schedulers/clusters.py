"""The clusters there are: one class for each scheduler."""

from __future__ import annotations

from collections.abc import Mapping

from parsl.testing.install import install_pals_mpiexec
from parsl.testing.schedulers.cluster import StandInCluster
from parsl.testing.schedulers.pbs.json_answer import MAIN, RELEASE

_HERE = "parsl.testing.schedulers"


class PBSCluster(StandInCluster):
    """A cluster with PBS Pro's ``qsub``, ``qstat``, ``qdel``, ``pbsnodes``, and the ``mpiexec`` of HPE PALS.

    It plays the release ``v23.06.06``, whose JSON is not always JSON, or ``main-2026-04``, which tells of one
    job only where it is asked for several. See :class:`StandInCluster` for the parameters.
    """

    dialect = "pbs"
    flavours = (RELEASE, MAIN)
    server = "pbs-0001.hostmgmt.cluster.test"
    login_host = "uan-0001.hostmgmt.cluster.test"
    commands: Mapping[str, str] = {
        "qsub": f"{_HERE}.pbs.qsub",
        "qstat": f"{_HERE}.pbs.qstat",
        "qdel": f"{_HERE}.pbs.qdel",
        "pbsnodes": f"{_HERE}.pbs.pbsnodes",
    }

    def _install(self, python: str) -> None:
        super()._install(python)
        install_pals_mpiexec(self.bin_directory, python)


class TorqueCluster(StandInCluster):
    """A cluster with Torque's ``qsub``, ``qstat`` and ``qdel``."""

    dialect = "torque"
    server = "torque.cluster.test"
    commands: Mapping[str, str] = {
        "qsub": f"{_HERE}.pbs.qsub",
        "qstat": f"{_HERE}.torque.qstat",
        "qdel": f"{_HERE}.torque.qdel",
    }


class LSFCluster(StandInCluster):
    """A cluster with LSF's ``bsub``, ``bjobs`` and ``bkill``."""

    dialect = "lsf"
    commands: Mapping[str, str] = {name: f"{_HERE}.lsf.{name}" for name in ("bsub", "bjobs", "bkill")}


class CondorCluster(StandInCluster):
    """A cluster with HTCondor's ``condor_submit``, ``condor_q``, ``condor_history`` and ``condor_rm``."""

    dialect = "condor"
    commands: Mapping[str, str] = {
        name: f"{_HERE}.condor.{name}"
        for name in ("condor_submit", "condor_q", "condor_history", "condor_rm")
    }
