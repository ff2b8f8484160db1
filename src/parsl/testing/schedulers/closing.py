"""The end of a cluster: no job, no runner and no process of theirs is left."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterable

from parsl.common.processes import environment_of, kill_tree, process_table
from parsl.testing.schedulers.dialect import CLUSTER_VARIABLE
from parsl.testing.schedulers.orders import give_order
from parsl.testing.schedulers.records import ABORTED, OCCUPYING
from parsl.testing.schedulers.store import ClusterStore

#: How long runners have to end their jobs, in seconds, before all is killed.
CLOSING_LIMIT_S = 10.0
_POLL_PERIOD_S = 0.005
_KILL_ROUNDS = 5


def end_everything(store: ClusterStore, limit_s: float = CLOSING_LIMIT_S) -> None:
    """End all jobs of a cluster, and wait for that.

    Args:
        store: The cluster; no job can start in it any more.
        limit_s: How long its runners have to end, in seconds.
    """
    with store.transaction() as state:
        state.set_fact("closed", True)
        running = state.jobs(OCCUPYING)
        for job in running:
            give_order(state, job, ABORTED)
    if not _wait_for_runners(store, limit_s):
        runners = [job.runner_pid for job in running if job.runner_pid]
        _kill(runners)
        _wait_for_runners(store, limit_s)
    # What is left if somebody has killed a runner.
    _kill(job.session_id for job in running if job.session_id and _leads_session(job.session_id))
    for _ in range(_KILL_ROUNDS):
        left = marked_processes(store.directory)
        if not left:
            return
        _kill(left)


def _leads_session(pid: int) -> bool:
    return any(entry.session == pid for entry in process_table().values())


def _wait_for_runners(store: ClusterStore, limit_s: float) -> bool:
    """Wait until the lock is free that each runner holds, from before it is started until it has ended."""
    lock = store.open_runners_lock()
    deadline_s = time.monotonic() + limit_s
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                if time.monotonic() > deadline_s:
                    return False
            time.sleep(_POLL_PERIOD_S)
    finally:
        os.close(lock)


def marked_processes(directory: str) -> list[int]:
    """Find the processes whose environment says that they belong to a cluster."""
    mark = f"{CLUSTER_VARIABLE}={directory}".encode()
    return [pid for pid in process_table() if mark in (environment_of(pid) or ())]


def _kill(pids: Iterable[int]) -> None:
    """Kill processes with all that they have started, and wait for their end."""
    for pid in pids:
        if pid != os.getpid():
            kill_tree(pid)
