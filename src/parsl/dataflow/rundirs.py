"""The directory of a run, where scripts import the function that makes it."""

from __future__ import annotations

from parsl.common.rundirs import make_rundir

__all__ = ["make_rundir"]
