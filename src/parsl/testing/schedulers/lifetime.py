"""The life of a cluster: it ends with its owner, and then no job, runner or process of it is left."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterable

from parsl.common.processes import environment_of, kill_tree, process_table
from parsl.testing.schedulers.dialect import CLUSTER_VARIABLE
from parsl.testing.schedulers.records import ABORTED, OCCUPYING
from parsl.testing.schedulers.server import send_order
from parsl.testing.schedulers.store import RUNNERS_LOCK, ClusterStore

#: How long runners have to end their jobs, in seconds, before they are killed.
_RUNNERS_LIMIT_S = 10.0
_POLL_PERIOD_S = 0.005
_KILL_ROUNDS = 5


def end_everything(store: ClusterStore) -> None:
    """End all jobs of a cluster, and wait until they have ended. No job can start any more."""
    with store.transaction() as state:
        state.set_fact("closed", True)
        running = state.jobs(OCCUPYING)
        for job in running:
            send_order(state, job, ABORTED)
    if not _wait_for_runners(store):
        _kill(job.runner_pid for job in running if job.runner_pid)
        _wait_for_runners(store)
    # Jobs whose runner was killed are still there.
    sessions = {entry.session for entry in process_table().values()}
    _kill(job.session_id for job in running if job.session_id and job.session_id in sessions)
    for _ in range(_KILL_ROUNDS):
        left = marked_processes(store.directory)
        if not left:
            return
        _kill(left)


def _wait_for_runners(store: ClusterStore) -> bool:
    """Wait for the lock that each runner holds from before its start to its end."""
    lock = store.open_lock(RUNNERS_LOCK)
    deadline_s = time.monotonic() + _RUNNERS_LIMIT_S
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


def marked_processes(directory: str, *marks: str) -> list[int]:
    """Return a cluster's processes that also have these ``NAME=VALUE`` marks in their environment."""
    requested = {mark.encode() for mark in (f"{CLUSTER_VARIABLE}={directory}", *marks)}
    return [pid for pid in process_table() if requested <= (environment_of(pid) or frozenset())]


def _kill(pids: Iterable[int]) -> None:
    for pid in pids:
        if pid != os.getpid():
            kill_tree(pid)
