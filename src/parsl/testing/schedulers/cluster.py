"""A cluster of simulated nodes with the commands of a scheduler, from the side of whoever owns it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

from parsl.testing.schedulers import faults, records
from parsl.testing.schedulers.closing import end_everything
from parsl.testing.schedulers.dialect import find_dialect
from parsl.testing.schedulers.install import install_command
from parsl.testing.schedulers.orders import give_order
from parsl.testing.schedulers.ownership import Ownership
from parsl.testing.schedulers.records import FINISHED, HELD, OCCUPYING, QUEUED, Job, Policy, Settings
from parsl.testing.schedulers.starter import module_command
from parsl.testing.schedulers.store import ClusterStore, Transaction

_POLL_PERIOD_S = 0.01
Self = TypeVar("Self", bound="StandInCluster")


class StandInCluster:
    """A private cluster on this host; a context manager. Its methods may be called from any thread.

    Args:
        directory: Where its state is, and its commands; made if missing. Keep it short:
            ``TMPDIR`` is below it.
        nodes: How many nodes it has.
        hosts: Their full names, instead of ``nodes``.
        flavour: Which version of the scheduler is played.
        policy: The site's rules; by default everything is allowed.
        python: The Python that the commands run with.

    Raises:
        ValueError: There is no such flavour, no node, or the directory has a cluster already.
    """

    #: The name of the scheduler.
    dialect = ""
    #: The commands, with the modules that have their ``main``.
    commands: Mapping[str, str] = {}
    #: The versions that can be played, the default first.
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
        self._ownership = Ownership(self._store)
        self._restore: Callable[[], None] | None = None
        self._is_closed = False
        self.settings = Settings(
            dialect=self.dialect,
            flavour=flavour,
            server=self.server,
            login_host=self.login_host,
            hosts=names,
            policy=policy or Policy(),
            bin_directory=self.bin_directory,
            owner_pid=os.getpid(),
            owner_started=self._ownership.started,
        )
        self._store.create(self.settings)
        self._ownership.take()
        self._install(python)
        self._python = python
        self._dialect = find_dialect(self.settings, path)

    def __repr__(self) -> str:
        counts: dict[str, int] = {}
        for job in self.jobs():
            counts[job.state] = counts.get(job.state, 0) + 1
        told = ", ".join(f"{count} {state}" for state, count in counts.items()) or "no jobs"
        closed = " closed" if self._is_closed else ""
        return f"<{type(self).__name__}{closed} {len(self.settings.hosts)} nodes: {told}>"

    @classmethod
    def default_hosts(cls, nodes: int) -> tuple[str, ...]:
        """Return names for so many nodes."""
        return tuple(
            f"x{1000 + number // 64}c0s{number % 64}b0n0.hsn.cluster.test" for number in range(nodes)
        )

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all jobs and everything that they have started; the state stays to be looked at."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._restore is not None:
            self._restore()
        end_everything(self._store)
        self._ownership.give_up()

    # Being used

    @property
    def directory(self) -> str:
        """Where the cluster is."""
        return self._store.directory

    def environment(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return an environment with the cluster's commands on the PATH.

        Args:
            base: What it is based on; by default this process' own.
        """
        base = os.environ if base is None else base
        path = os.pathsep.join(filter(None, [self.bin_directory, base.get("PATH", os.defpath)]))
        return {**base, "PATH": path}

    def activate(self, monkeypatch: Any = None) -> None:
        """Put the commands on this process' PATH.

        Args:
            monkeypatch: pytest's, or anything with its ``setenv``; without one, PATH is set back on closing.
        """
        path = self.environment()["PATH"]
        if monkeypatch is not None:
            monkeypatch.setenv("PATH", path)
            return
        before = os.environ.get("PATH")
        self._restore = lambda: _set_variable("PATH", before)
        os.environ["PATH"] = path

    # Being watched

    def jobs(self) -> list[Job]:
        """Return all jobs there ever were, the oldest first."""
        with self._store.transaction() as state:
            return state.jobs()

    def job(self, job_id: str | int) -> Job:
        """Return a job.

        Args:
            job_id: Its id in any form, or its number.

        Raises:
            KeyError: There never was such a job.
        """
        with self._store.transaction() as state:
            return self._find(state, job_id)

    def wait_for(self, job_id: str | int, *states: str, timeout_s: float = 30.0) -> Job:
        """Wait until a job is in one of these states.

        Args:
            job_id: Its id.
            states: Such as ``running``; by default ``finished``.
            timeout_s: How long to wait, in seconds.

        Raises:
            TimeoutError: It is not.
        """
        wanted = states or (FINISHED,)
        return self.wait_until(lambda: self.job(job_id), lambda job: job.state in wanted, timeout_s)

    @staticmethod
    def wait_until(read: Callable[[], Job], is_right: Callable[[Job], bool], timeout_s: float = 30.0) -> Job:
        """Read a job again and again until it is right."""
        deadline_s = time.monotonic() + timeout_s
        while not is_right(job := read()):
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"After {timeout_s} s: {job}")
            time.sleep(_POLL_PERIOD_S)
        return job

    def calls(self, command: str) -> int:
        """Return how often a command has been run."""
        with self._store.transaction() as state:
            counted: int = state.fact("calls", {}).get(command, 0)
            return counted

    # Misbehaving

    def misbehave(self, command: str, fault: str, times: int | None = None) -> None:
        """Have a command misbehave.

        Args:
            command: Such as ``qstat``.
            fault: What it does; see :mod:`parsl.testing.schedulers.faults`. Of PBS, also a name in
                ``parsl.testing.schedulers.pbs.refusals.QSUB_REFUSALS``.
            times: How often; None: until :meth:`behave`.
        """
        with self._store.transaction() as state:
            faults.set_fault(state, command, fault, times)

    def behave(self, *commands: str) -> None:
        """Have commands do what they should again; all, if none is named."""
        with self._store.transaction() as state:
            for command in commands or tuple(self.commands):
                faults.set_fault(state, command, "", None)

    def set_scheduling(self, is_on: bool) -> None:
        """Let jobs start, or have all of them wait."""
        with self._store.transaction() as state:
            state.set_fact("scheduling", is_on)
        self.reschedule()

    def forget(self, job_id: str | int) -> None:
        """Have the server not know a job any more; it goes on if it runs."""
        self._change(job_id, forgotten=True)

    def claim_state(self, job_id: str | int, state: str) -> None:
        """Have the server claim a state of a job, in the scheduler's letter or word; empty: the truth."""
        self._change(job_id, claimed_state=state)

    def hold(self, job_id: str | int, comment: str = "", by: str = "u") -> None:
        """Hold a job that waits.

        Args:
            job_id: Which.
            comment: What the scheduler says about it.
            by: ``u``: the user; ``s``: the system.
        """
        self._change(job_id, state=HELD, hold=by, comment=comment)

    def release(self, job_id: str | int) -> None:
        """Let a held job go on."""
        self._change(job_id, state=QUEUED, hold="n", comment="")
        self.reschedule()

    def requeue(self, job_id: str | int) -> None:
        """Kill what a running job runs, and put it back into the queue: it runs again under the same id."""
        self._order(job_id, records.REQUEUED)

    def end_walltime(self, job_id: str | int) -> None:
        """Have a running job's time be over now."""
        self._order(job_id, records.OVER_WALLTIME)

    def suspend(self, job_id: str | int) -> None:
        """Stop the processes of a running job for a while."""
        self._order(job_id, "suspend")

    def resume(self, job_id: str | int) -> None:
        """Let a suspended job go on."""
        self._order(job_id, "resume")

    def fail_node(self, host: str) -> None:
        """Have a node die without a word.

        A job whose first node it is runs on only in the server's opinion, for ``node_fail_requeue_s``; then
        it is requeued. Of other jobs, the ranks that the stand-in for mpiexec has put there are killed.

        Args:
            host: Its full name.
        """
        from parsl.testing.schedulers.node_failure import kill_ranks

        with self._store.transaction() as state:
            state.set_fact("down", sorted({*state.fact("down", []), host}))
            for job in state.jobs(OCCUPYING):
                if job.hosts[0] == host:
                    give_order(state, job, records.NODE_FAILED)
                elif host in job.hosts:
                    kill_ranks(self.directory, self._dialect.job_id(job), job.hosts.index(host))

    def restore_node(self, host: str) -> None:
        """Bring a node back."""
        with self._store.transaction() as state:
            state.set_fact("down", [name for name in state.fact("down", []) if name != host])
        self.reschedule()

    def reschedule(self) -> None:
        """Start what can be started."""
        # In a process of its own, as this one may have threads, and should not be forked.
        import subprocess

        subprocess.run(
            [*module_command("parsl.testing.schedulers.starter", self._python), self.directory], check=True
        )

    def _change(self, job_id: str | int, **fields: Any) -> None:
        with self._store.transaction() as state:
            state.update(self._find(state, job_id)._replace(**fields))

    def _order(self, job_id: str | int, order: str) -> None:
        with self._store.transaction() as state:
            job = self._find(state, job_id)
            if job.state not in OCCUPYING:
                raise ValueError(f"Job {job_id} is {job.state}: only one that runs can be told to {order!r}.")
            give_order(state, job, order)

    def _find(self, state: Transaction, job_id: str | int) -> Job:
        number = str(job_id).strip().partition(".")[0]
        job = state.job(int(number)) if number.isdigit() else None
        if job is None:
            raise KeyError(f"There never was a job {job_id!r}.")
        return job

    def _install(self, python: str) -> None:
        for command, module in self.commands.items():
            install_command(self.bin_directory, command, module, self.directory, python)


def _set_variable(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
