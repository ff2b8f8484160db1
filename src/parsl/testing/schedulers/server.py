"""What the server of a scheduler does: start jobs, send orders to their runners, delete jobs.

There is no server process. Each command and each runner does its part of this work.
"""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Sequence

from parsl.common.processes import signal_processes
from parsl.testing import python_command
from parsl.testing.schedulers import records
from parsl.testing.schedulers.dialect import PBSDialect, load_dialect
from parsl.testing.schedulers.dispatch import Decision, Node, decide
from parsl.testing.schedulers.records import Job
from parsl.testing.schedulers.store import RUNNERS_LOCK, ClusterStore, Transaction

#: Sent to a runner whose record holds an order.
ORDER_SIGNAL = signal.SIGUSR1
_RUNNER = "parsl.testing.schedulers.runner:main"


class JobStarter:
    """Chooses jobs while the cluster's lock is held, and starts their runners when the lock is free again.

    Use it as a context manager around the transaction in which :meth:`plan` is called.
    """

    def __init__(self, store: ClusterStore) -> None:
        self._store = store
        self._import_paths: tuple[str, ...] = ()
        self._chosen: list[int] = []
        self._lock = -1

    def __repr__(self) -> str:
        return f"<JobStarter of {self._store.directory}: {len(self._chosen)} jobs chosen>"

    def __enter__(self) -> JobStarter:
        self._lock = self._store.open_lock(RUNNERS_LOCK)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                for number in self._chosen:
                    self._start_runner(number)
        finally:
            os.close(self._lock)

    def plan(self, state: Transaction, candidates: Sequence[Job] | None = None) -> None:
        """Choose the jobs to start, among the candidates or all, and record why the others wait."""
        if state.fact("closed", False):
            return
        # The end of the cluster waits for this lock, so it cannot miss a runner that is about to start.
        fcntl.flock(self._lock, fcntl.LOCK_SH)
        settings = state.settings()
        now_s = time.time()
        if not state.fact("scheduling", True):
            return
        jobs = state.jobs((records.QUEUED, records.WAITING)) if candidates is None else list(candidates)
        down = set(state.fact("down", []))
        nodes = [Node(host, settings.policy.cpus_per_node, host not in down) for host in settings.hosts]
        decision = decide(jobs, state.jobs(records.OCCUPYING), nodes, settings.policy.queues, now_s)
        dialect = load_dialect(settings, self._store.directory)
        for job in jobs:
            changed = _next_record(job, decision, dialect, now_s)
            if changed is not None:
                state.update(changed)
        self._chosen += decision.placements
        self._import_paths = settings.import_paths

    def _start_runner(self, number: int) -> None:
        """Start the runner of a job as a process that is independent of this one; it keeps the lock."""
        directory = self._store.directory
        runner = python_command(_RUNNER, import_paths=self._import_paths)
        command = [*runner, directory, str(number), str(self._lock)]
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            return
        try:
            os.setsid()
            if os.fork():
                os._exit(0)
            nothing = os.open(os.devnull, os.O_RDWR)
            log = os.open(self._store.path("runners.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            for descriptor, source in ((0, nothing), (1, log), (2, log)):
                os.dup2(source, descriptor)
            os.set_inheritable(self._lock, True)
            # A pipe that stays open here would keep its reader waiting.
            os.closerange(3, self._lock)
            os.closerange(self._lock + 1, max(self._lock + 2, 1024))
            os.chdir(directory)
            os.execve(command[0], command, {"PATH": os.environ.get("PATH", os.defpath)})
        finally:
            os._exit(1)


def _next_record(job: Job, decision: Decision, dialect: PBSDialect, now_s: float) -> Job | None:
    """Return the record of a job that starts, or of one that waits for a new reason; None if unchanged."""
    if (placements := decision.placements.get(job.number)) is not None:
        started = job._replace(
            state=records.RUNNING,
            placements=placements,
            started_s=now_s,
            modified_s=now_s,
            run_count=job.run_count + 1,
            end_reason="",
            order="",
            session_id=0,
            runner_pid=0,
        )
        return started._replace(comment=dialect.run_comment(started))
    if job.number not in decision.waits or job.state == records.HELD:
        return None
    comment = decision.waits[job.number]
    if comment == job.comment:
        return None
    return job._replace(comment=comment, modified_s=now_s, state=records.QUEUED)


def start_jobs(arguments: Sequence[str]) -> int:
    """Start the jobs that can start in a cluster; its directory is the only argument."""
    store = ClusterStore(arguments[0])
    with JobStarter(store) as starter, store.transaction() as state:
        starter.plan(state)
    return 0


def send_order(state: Transaction, job: Job, order: str, comment: str | None = None) -> None:
    """Send an end reason, ``suspend`` or ``resume`` to the runner of a job that holds nodes."""
    # While the lock is held, the runner that a record names has not ended.
    comment = job.comment if comment is None else comment
    state.update(job._replace(order=order, modified_s=time.time(), comment=comment))
    if job.runner_pid:
        signal_processes([job.runner_pid], ORDER_SIGNAL)


def delete_job(state: Transaction, job: Job, running_comment: str, waiting_comment: str) -> None:
    """Delete a job that has not ended; its new comment depends on whether it runs or waits."""
    if job.state in records.OCCUPYING:
        send_order(state, job, records.DELETED, running_comment)
        return
    now_s = time.time()
    end = job._replace(state=records.FINISHED, end_reason=records.DELETED, comment=waiting_comment)
    state.update(end._replace(finished_s=now_s, modified_s=now_s))
