"""A cluster of simulated nodes with the commands of a scheduler, as its owner sees it."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from parsl.common.processes import environment_of, family, kill_tree, process_table, signal_processes
from parsl.testing import IMPORT_DIRECTORY, install_command, install_pals_mpiexec, python_command
from parsl.testing.schedulers import records
from parsl.testing.schedulers.command import set_fault
from parsl.testing.schedulers.dialect import CLUSTER_VARIABLE, load_dialect
from parsl.testing.schedulers.records import Job, Policy, Settings
from parsl.testing.schedulers.server import send_order
from parsl.testing.schedulers.store import OWNER_LOCK, RUNNERS_LOCK, ClusterStore, Transaction

_POLL_PERIOD_S = 0.01
_SIGKILL = 9
#: How long runners have to end their jobs, in seconds, before they are killed.
_RUNNERS_LIMIT_S = 10.0
_KILL_ROUNDS = 5
Self = TypeVar("Self", bound="StandInCluster")


class StandInCluster:
    """A private cluster on this host; a context manager. All methods may be called from any thread.

    Subclasses name the parts of one scheduler. These may be in any package, because the processes of the
    cluster import from the same directory as the class.

    Args:
        directory: The directory of the state and the commands; created if missing. Keep the path short,
            because the ``TMPDIR`` of jobs is below it.
        nodes: The number of nodes.
        hosts: The full names of the nodes, instead of ``nodes``.
        flavour: The simulated version of the scheduler.
        policy: The rules of the site; by default everything is allowed.
        python: The Python that runs the commands.

    Raises:
        ValueError: The flavour is unknown, or there is no node.
    """

    #: The name of the scheduler.
    dialect = ""
    #: What is special to it, as ``module:class``.
    dialect_class = "parsl.testing.schedulers.dialect:PBSDialect"
    #: The commands with the functions that run them, as ``module:function``.
    commands: Mapping[str, str] = {}
    #: The versions that can be simulated, the default first.
    flavours: tuple[str, ...] = ("",)
    server = "batch-0001.cluster.test"
    login_host = "login-0001.cluster.test"

    def __init__(
        self,
        directory: str | os.PathLike[str],
        nodes: int = 4,
        *,
        hosts: Sequence[str] | None = None,
        flavour: str | None = None,
        policy: Policy | None = None,
        python: str = sys.executable,
    ) -> None:
        names = tuple(hosts) if hosts is not None else self.default_hosts(nodes)
        if not names:
            raise ValueError("A cluster needs at least one node.")
        flavour = self.flavours[0] if flavour is None else flavour
        if flavour not in self.flavours:
            raise ValueError(
                f"There is no flavour {flavour!r} of {self.dialect}; choose one of {self.flavours}."
            )
        path = os.path.realpath(directory)
        self.bin_directory = os.path.join(path, "bin")
        self._store = ClusterStore(path)
        self._path_before: str | None = None
        self._is_active = False
        self._is_closed = False
        self._python = python
        self.settings = Settings(
            dialect=self.dialect_class,
            flavour=flavour,
            server=self.server,
            login_host=self.login_host,
            hosts=names,
            policy=policy or Policy(),
            bin_directory=self.bin_directory,
            owner_pid=os.getpid(),
            owner_started=process_table()[os.getpid()].started,
            import_paths=self._import_paths(),
        )
        self._store.create(self.settings)
        # Commands that hang wait for this lock, which children of the owner do not inherit.
        self._owner_lock = self._store.open_lock(OWNER_LOCK)
        fcntl.lockf(self._owner_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._install()
        self._dialect = load_dialect(self.settings, path)

    def __repr__(self) -> str:
        counts = Counter(job.state for job in self.jobs())
        jobs = ", ".join(f"{count} {state}" for state, count in counts.items()) or "no jobs"
        closed = " closed" if self._is_closed else ""
        return f"<{type(self).__name__}{closed} {len(self.settings.hosts)} nodes: {jobs}>"

    @classmethod
    def default_hosts(cls, nodes: int) -> tuple[str, ...]:
        """Return the names of that many nodes."""
        return tuple(
            f"x{1000 + number // 64}c0s{number % 64}b0n0.hsn.cluster.test" for number in range(nodes)
        )

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End all jobs and everything that they have started. The state can still be read afterwards."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._is_active:
            if self._path_before is None:
                os.environ.pop("PATH", None)
            else:
                os.environ["PATH"] = self._path_before
        end_everything(self._store)
        os.close(self._owner_lock)

    @property
    def directory(self) -> str:
        """The directory of the cluster."""
        return self._store.directory

    def environment(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return an environment with the cluster's commands on the PATH.

        Args:
            base: The variables to start from; by default those of this process.
        """
        base = os.environ if base is None else base
        path = os.pathsep.join(filter(None, [self.bin_directory, base.get("PATH", os.defpath)]))
        return {**base, "PATH": path}

    def activate(self, monkeypatch: Any = None) -> None:
        """Put the commands on this process' PATH.

        Args:
            monkeypatch: pytest's, or anything with its ``setenv``; without one, ``close`` restores PATH.
        """
        path = self.environment()["PATH"]
        if monkeypatch is not None:
            monkeypatch.setenv("PATH", path)
            return
        self._path_before = os.environ.get("PATH")
        self._is_active = True
        os.environ["PATH"] = path

    def jobs(self) -> list[Job]:
        """Return all jobs, including those that have ended, the oldest first."""
        with self._store.transaction() as state:
            return state.jobs()

    def job(self, job_id: str | int) -> Job:
        """Return a job.

        Args:
            job_id: The id in any form, or the number.

        Raises:
            KeyError: There is no such job.
        """
        with self._store.transaction() as state:
            return self._find(state, job_id)

    def wait_for(self, job_id: str | int, *states: str, timeout_s: float = 30.0) -> Job:
        """Wait until a job is in one of these states.

        Args:
            job_id: The id of the job.
            states: States such as ``running``; by default ``finished``.
            timeout_s: How long to wait, in seconds.

        Raises:
            TimeoutError: The job is in none of these states after that time.
        """
        requested = states or (records.FINISHED,)
        return self.wait_until(lambda: self.job(job_id), lambda job: job.state in requested, timeout_s)

    @staticmethod
    def wait_until(read: Callable[[], Job], is_right: Callable[[Job], bool], timeout_s: float = 30.0) -> Job:
        """Read a job repeatedly until it meets the condition, and return it."""
        deadline_s = time.monotonic() + timeout_s
        while not is_right(job := read()):
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"After {timeout_s} s: {job}")
            time.sleep(_POLL_PERIOD_S)
        return job

    def calls(self, command: str) -> int:
        """Return how often a command has been called."""
        with self._store.transaction() as state:
            counted: int = state.fact("calls", {}).get(command, 0)
            return counted

    def misbehave(self, command: str, fault: str, times: int | None = None) -> None:
        """Make a command misbehave.

        Args:
            command: The command, such as ``qstat``.
            fault: One of those in :mod:`parsl.testing.schedulers.command`; for PBS's ``qsub`` also a name in
                ``parsl.testing.schedulers.refusals.QSUB_REFUSALS``.
            times: How often the command misbehaves; None for until :meth:`behave` is called.
        """
        with self._store.transaction() as state:
            set_fault(state, command, fault, times)

    def behave(self, *commands: str) -> None:
        """Make commands work again: those named, or all of them."""
        with self._store.transaction() as state:
            for command in commands or tuple(self.commands):
                set_fault(state, command, "", None)

    def set_scheduling(self, is_on: bool) -> None:
        """Let jobs start, or make all of them wait."""
        with self._store.transaction() as state:
            state.set_fact("scheduling", is_on)
        self.reschedule()

    def forget(self, job_id: str | int) -> None:
        """Make the server deny that it knows a job. A running job continues."""
        self._change(job_id, forgotten=True)

    def claim_state(self, job_id: str | int, state: str) -> None:
        """Make the server report a wrong state, in its own letter or word; empty for the real one."""
        self._change(job_id, claimed_state=state)

    def hold(self, job_id: str | int, comment: str = "", by: str = "u") -> None:
        """Hold a waiting job.

        Args:
            job_id: The id of the job.
            comment: The scheduler's comment.
            by: ``u`` for a hold by the user, ``s`` for one by the system.
        """
        self._change(job_id, state=records.HELD, hold=by, comment=comment)

    def release(self, job_id: str | int) -> None:
        """Release a held job."""
        self._change(job_id, state=records.QUEUED, hold="n", comment="")
        self.reschedule()

    def requeue(self, job_id: str | int) -> None:
        """Kill the processes of a running job, and requeue it: it runs again under the same id."""
        self._order(job_id, records.REQUEUED)

    def end_walltime(self, job_id: str | int) -> None:
        """Let the walltime of a running job end now."""
        self._order(job_id, records.OVER_WALLTIME)

    def suspend(self, job_id: str | int) -> None:
        """Stop the processes of a running job."""
        self._order(job_id, "suspend")

    def resume(self, job_id: str | int) -> None:
        """Continue a suspended job."""
        self._order(job_id, "resume")

    def fail_node(self, host: str) -> None:
        """Make a node die silently.

        If the node is the first one of a job, the server reports the job as running for another
        ``node_fail_requeue_s`` and then requeues it. Of other jobs, the ranks that the stand-in for mpiexec
        has started on the node are killed.

        Args:
            host: The full name of the node.
        """
        with self._store.transaction() as state:
            state.set_fact("down", sorted({*state.fact("down", []), host}))
            for job in state.jobs(records.OCCUPYING):
                if job.hosts[0] == host:
                    send_order(state, job, records.NODE_FAILED)
                elif host in job.hosts:
                    self._kill_ranks(job, job.hosts.index(host))

    def _kill_ranks(self, job: Job, node: int) -> None:
        """Kill the ranks on the node of a job at a position, with all that they have started."""
        marks = (f"PBS_JOBID={self._dialect.job_id(job)}", f"PALS_NODEID={node}")
        ranks = marked_processes(self.directory, *marks)
        signal_processes(family(process_table(), ranks), _SIGKILL)

    def restore_node(self, host: str) -> None:
        """Make a dead node available again."""
        with self._store.transaction() as state:
            state.set_fact("down", [name for name in state.fact("down", []) if name != host])
        self.reschedule()

    def reschedule(self) -> None:
        """Start the jobs that can start."""
        import subprocess

        # This process may have threads, so a process of its own does the forking.
        command = self._command("parsl.testing.schedulers.server:start_jobs")
        subprocess.run([*command, self.directory], check=True)

    def _change(self, job_id: str | int, **fields: Any) -> None:
        with self._store.transaction() as state:
            state.update(self._find(state, job_id)._replace(**fields))

    def _order(self, job_id: str | int, order: str) -> None:
        with self._store.transaction() as state:
            job = self._find(state, job_id)
            if job.state not in records.OCCUPYING:
                raise ValueError(f"Job {job_id} is {job.state}; only running jobs take the order {order!r}.")
            send_order(state, job, order)

    def _find(self, state: Transaction, job_id: str | int) -> Job:
        number = str(job_id).strip().partition(".")[0]
        job = state.job(int(number)) if number.isdigit() else None
        if job is None:
            raise KeyError(f"There never was a job {job_id!r}.")
        return job

    def _import_paths(self) -> tuple[str, ...]:
        """Return where this class and parsl are imported from."""
        module = sys.modules[type(self).__module__]
        file = getattr(module, "__file__", None)
        own = str(Path(file).absolute().parents[module.__name__.count(".")]) if file else IMPORT_DIRECTORY
        return tuple(dict.fromkeys((IMPORT_DIRECTORY, own)))

    def _command(self, function: str) -> list[str]:
        return python_command(function, self._python, self.settings.import_paths)

    def _install(self) -> None:
        for command, function in self.commands.items():
            install_command(self.bin_directory, command, [*self._command(function), self.directory])


class PBSCluster(StandInCluster):
    """A cluster with PBS Pro's ``qsub``, ``qstat``, ``qdel``, ``pbsnodes``, and the ``mpiexec`` of HPE PALS.

    The flavours are the release ``v23.06.06``, whose JSON is not always JSON, and ``main-2026-04``, which
    reports only the first of several requested jobs. See :class:`StandInCluster` for the parameters.
    """

    dialect = "pbs"
    flavours = (records.RELEASE, records.MAIN)
    server = "pbs-0001.hostmgmt.cluster.test"
    login_host = "uan-0001.hostmgmt.cluster.test"
    commands: Mapping[str, str] = {
        "qsub": "parsl.testing.schedulers.qsub:qsub",
        **{name: f"parsl.testing.schedulers.user_commands:{name}" for name in ("qstat", "qdel", "pbsnodes")},
    }

    def _install(self) -> None:
        super()._install()
        install_pals_mpiexec(self.bin_directory, self._python)


def end_everything(store: ClusterStore) -> None:
    """End all jobs of a cluster, and wait until they have ended. No job can start any more."""
    with store.transaction() as state:
        state.set_fact("closed", True)
        running = state.jobs(records.OCCUPYING)
        for job in running:
            send_order(state, job, records.ABORTED)
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
