"""Stand-ins for Torque, LSF and HTCondor, built on that for PBS in :mod:`parsl.testing.schedulers`.

Their commands import this package and must start fast: the classes of the clusters are in ``clusters``.
"""
