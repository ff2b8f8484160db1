"""Starts what can be started: chooses jobs under the cluster's lock, gives each a runner after it."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Sequence
from types import TracebackType

from parsl.testing.schedulers.dialect import Dialect, find_dialect
from parsl.testing.schedulers.dispatch import Node, decide
from parsl.testing.schedulers.records import HELD, OCCUPYING, QUEUED, RUNNING, WAITING, Job
from parsl.testing.schedulers.store import ClusterStore, Transaction

_RUNNER = "parsl.testing.schedulers.runner"
_BOOT = "import sys; sys.path.insert(0, {home!r}); from {module} import main; sys.exit(main(sys.argv[1:]))"


class Starter:
    """Starts runners when it is left: enter it before the transaction in which :meth:`plan` is called.

    Args:
        store: The cluster.
    """

    def __init__(self, store: ClusterStore) -> None:
        self._store = store
        self._chosen: list[int] = []
        self._lock = -1

    def __repr__(self) -> str:
        return f"<Starter of {self._store.directory}: {len(self._chosen)} jobs chosen>"

    def __enter__(self) -> Starter:
        self._lock = self._store.open_runners_lock()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                for number in self._chosen:
                    start_runner(self._store.directory, number, self._lock)
        finally:
            os.close(self._lock)

    def plan(self, state: Transaction, candidates: Sequence[Job] | None = None) -> None:
        """Choose what starts, and note why the others do not.

        Args:
            state: The cluster's state; its lock is held.
            candidates: Jobs to look at; None: all that have not started. A job that was just submitted can be
                looked at alone, as it frees nothing for others.
        """
        if state.fact("closed", False):
            return
        # From here on the cluster knows that there are, or will be, runners.
        fcntl.flock(self._lock, fcntl.LOCK_SH)
        settings = state.settings()
        now_s = time.time()
        todo = state.jobs((QUEUED, WAITING)) if candidates is None else list(candidates)
        if not state.fact("scheduling", True):
            return
        down = set(state.fact("down", []))
        nodes = [Node(host, settings.policy.cpus_per_node, host not in down) for host in settings.hosts]
        decision = decide(todo, state.jobs(OCCUPYING), nodes, settings.policy.queues, now_s)
        jobs = {job.number: job for job in todo}
        dialect = find_dialect(settings, self._store.directory)
        for start in decision.starts:
            state.update(_started(jobs[start.number]._replace(placements=start.placements), dialect, now_s))
            self._chosen.append(start.number)
        for number, reason in decision.waits.items():
            comment = dialect.wait_comment(reason)
            if jobs[number].comment != comment and jobs[number].state != HELD:
                state.update(jobs[number]._replace(comment=comment, modified_s=now_s, state=QUEUED))


def _started(job: Job, dialect: Dialect, now_s: float) -> Job:
    job = job._replace(
        state=RUNNING,
        started_s=now_s,
        modified_s=now_s,
        run_count=job.run_count + 1,
        end_reason="",
        order="",
        session_id=0,
        runner_pid=0,
    )
    return job._replace(comment=dialect.run_comment(job))


def start_runner(directory: str, number: int, lock: int) -> None:
    """Start the runner of a job, a process that has nothing to do with this one any more.

    Args:
        directory: The cluster's directory.
        number: The job.
        lock: The runners' lock, held; the runner keeps it.
    """
    command = runner_command(directory, number, lock)
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        nothing = os.open(os.devnull, os.O_RDWR)
        log = os.open(os.path.join(directory, "runners.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for descriptor, source in ((0, nothing), (1, log), (2, log)):
            os.dup2(source, descriptor)
        os.set_inheritable(lock, True)
        _close_others(lock)
        os.chdir(directory)
        os.execve(command[0], command, {"PATH": os.environ.get("PATH", os.defpath)})
    finally:
        os._exit(1)


def runner_command(directory: str, number: int, lock: int) -> list[str]:
    """Return the command line of a runner."""
    return [*module_command(_RUNNER), directory, str(number), str(lock)]


def module_command(module: str, python: str = sys.executable) -> list[str]:
    """Return a command line that calls ``main(arguments)`` of a module of ours.

    Isolated and without site-packages: quick to start, and no PYTHONPATH leaks in.
    """
    home = os.path.abspath(__file__)
    for _ in range(4):
        home = os.path.dirname(home)
    return [python, "-I", "-S", "-c", _BOOT.format(home=home, module=module)]


def _close_others(lock: int) -> None:
    """Close what the command inherited: a pipe kept open would keep its reader waiting."""
    os.closerange(3, lock)
    os.closerange(lock + 1, max(lock + 2, 1024))


def main(arguments: Sequence[str]) -> int:
    """Start what can be started in the cluster whose directory is the only argument."""
    store = ClusterStore(arguments[0])
    with Starter(store) as starter, store.transaction() as state:
        starter.plan(state)
    return 0
