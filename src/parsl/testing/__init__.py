"""Stand-ins for what a workflow meets on a supercomputer, for tests of your own and of ours.

`install_pals_mpiexec` puts an ``mpiexec`` into a folder that takes the options of HPE PALS, as found
on Aurora and Polaris, and runs all ranks on this host. ``python -m parsl.testing.pals_mpiexec`` is the same.
"""

from __future__ import annotations

from parsl.testing.install import install_pals_mpiexec

__all__ = ["install_pals_mpiexec"]
