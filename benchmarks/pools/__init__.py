"""One interface over all the systems, as thin as it can be.

A pool's module is imported by the start-up probes too, so it imports nothing but its system,
and that where it is needed.
"""

from __future__ import annotations

from benchmarks.pools.base import Pool

#: Workers in every pool.
WORKERS = 2


def open_pool(system: str, executor: str = "processes") -> Pool:
    """Start a system's pool.

    Args:
        system: name of the system.
        executor: ``processes`` or ``threads``.

    Returns:
        The pool, ready to be given tasks; its workers may still be starting.
    """
    from importlib import import_module

    module = "parsl" if system in ("ours", "upstream") else system
    pool = import_module(f"benchmarks.pools.{module}_pool").open_pool(WORKERS, executor)
    assert isinstance(pool, Pool)
    return pool
