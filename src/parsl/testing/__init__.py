"""Stand-ins for parts of a supercomputer, for tests of your own workflows and of Parsl itself.

`install_pals_mpiexec` writes an ``mpiexec`` that takes the options of HPE PALS, as on Aurora and Polaris, and
runs all ranks on this host. ``python -m parsl.testing.pals_mpiexec`` is the same program.
"""

from __future__ import annotations

from parsl.testing.install import install_pals_mpiexec

__all__ = ["install_pals_mpiexec"]
