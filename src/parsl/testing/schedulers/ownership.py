"""The bond between a cluster and the process that opened it: nothing of the cluster outlives that process."""

from __future__ import annotations

import fcntl
import os

from parsl.common.processes import process_table
from parsl.testing.schedulers.faults import OWNER_LOCK
from parsl.testing.schedulers.store import ClusterStore


class Ownership:
    """A lock that goes with the process, and is not passed on to children.

    Runners watch the process itself; commands that hang wait for the lock.

    Args:
        store: The cluster.
    """

    def __init__(self, store: ClusterStore) -> None:
        self._store = store
        self._lock: int | None = None
        #: When this process started, in the system's own unit.
        self.started = process_table()[os.getpid()].started

    def __repr__(self) -> str:
        return f"<Ownership of {self._store.directory} {'taken' if self._lock is not None else 'not taken'}>"

    def take(self) -> None:
        """Become the owner."""
        self._lock = os.open(self._store.path(OWNER_LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def give_up(self) -> None:
        """Let go of what waits for the end of the owner."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
