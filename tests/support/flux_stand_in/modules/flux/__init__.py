"""A stand-in for Flux's Python module: jobs are processes of this machine. Only what the executor uses."""

from __future__ import annotations


class Flux:
    """A handle of the instance."""
