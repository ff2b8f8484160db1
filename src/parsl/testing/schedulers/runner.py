"""The process that runs one job: starts it, executes orders, enforces the walltime, delivers the output.

The process has one loop. As a child subreaper it keeps everything that the job starts below itself, and ends
all of that with the job. It also ends the job when the owner of the cluster ends.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from parsl.common.processes import family, kill_tree, process_table, signal_processes
from parsl.common.system import become_subreaper
from parsl.testing.schedulers import records
from parsl.testing.schedulers.dialect import LaunchPlan, load_dialect
from parsl.testing.schedulers.records import ABORTED, NODE_FAILED, OVER_WALLTIME, REQUEUED, Job, Settings
from parsl.testing.schedulers.server import ORDER_SIGNAL, JobStarter
from parsl.testing.schedulers.store import ClusterStore

_ABORT_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
#: The time between SIGTERM and SIGKILL for reasons other than those with the delay of the policy, in seconds.
_KILL_DELAYS_S = {REQUEUED: 0.0, NODE_FAILED: 0.0, ABORTED: 1.0}
_NEVER = float("inf")


def main(arguments: Sequence[str]) -> int:
    """Run a job; the arguments: the cluster's directory, the job's number, a descriptor of the lock."""
    directory, number, lock = arguments
    os.set_inheritable(int(lock), False)
    JobRunner(ClusterStore(directory), int(number)).run()
    return 0


class JobRunner:
    """Runs one job to its end, or until it is requeued; each runner's process has one."""

    def __init__(self, store: ClusterStore, number: int) -> None:
        self._store = store
        self._number = number
        self._job: Job
        self._shell = 0
        self._shell_status: int | None = None
        self._is_childless = False
        #: Why the scheduler ends the job; empty while it does not.
        self._reason = ""
        self._began_s = 0.0
        self._overtime_at_s = _NEVER
        self._kill_at_s = _NEVER
        with store.transaction() as state:
            settings = state.settings()
        self._dialect = load_dialect(settings, store.directory)
        self._policy = settings.policy
        self._events = _Events(settings)

    def __repr__(self) -> str:
        return f"<JobRunner of {self._number}: shell {self._shell}, reason {self._reason!r}>"

    def run(self) -> None:
        """Run the job."""
        become_subreaper()
        self._events.listen()
        with self._store.transaction() as state:
            job = state.job(self._number)
            if job is None or job.state != records.RUNNING:
                return
            payload = state.payload(self._number)
            state.update(job := job._replace(runner_pid=os.getpid()))
        plan = self._dialect.launch_plan(job, payload)
        plan.prepare()
        self._start(plan)
        self._loop(plan)
        kill_tree(os.getpid())
        self._reap()
        if self._reason == NODE_FAILED:
            self._simulate_dead_node()
        if self._reason in (REQUEUED, NODE_FAILED) and job.rerunnable:
            plan.clear()
            self._requeue()
        else:
            self._finish(plan)
        with JobStarter(self._store) as starter, self._store.transaction() as state:
            starter.plan(state)

    def _change(self, **fields: Any) -> Job:
        with self._store.transaction() as state:
            job = state.job(self._number)
            assert job is not None
            state.update(job := job._replace(modified_s=time.time(), **fields))
            return job

    def _start(self, plan: LaunchPlan) -> None:
        self._began_s = time.monotonic()
        # A signal to the new process must not reach a handler of the runner.
        signal.pthread_sigmask(signal.SIG_BLOCK, _ABORT_SIGNALS)
        self._shell = os.fork()
        if self._shell == 0:
            plan.execute(self._dialect.no_shell_status)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ABORT_SIGNALS)
        self._job = self._change(session_id=self._shell)
        if self._job.walltime_s is not None:
            self._overtime_at_s = self._began_s + self._job.walltime_s + self._policy.walltime_delay_s

    def _loop(self, plan: LaunchPlan) -> None:
        while not self._is_over():
            self._reap()
            self._execute_order()
            self._check_time(plan)
            if not self._is_over():
                self._events.wait(min(self._overtime_at_s, self._kill_at_s))

    def _is_over(self) -> bool:
        """Whether the script has ended; if the scheduler ended it, whether all its processes have."""
        return self._shell_status is not None and (not self._reason or self._is_childless)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self._is_childless = True
                return
            self._is_childless = False
            if pid == 0:
                return
            if pid == self._shell:
                self._shell_status = status

    def _execute_order(self) -> None:
        if self._shell_status is not None and not self._reason:
            return  # the script has ended by itself
        order = self._take_order()
        if order == "suspend":
            self._signal_job(signal.SIGSTOP)
            self._change(state=records.SUSPENDED)
        elif order == "resume":
            self._signal_job(signal.SIGCONT)
            self._change(state=records.RUNNING)
        elif order:
            self._stop(order)

    def _take_order(self) -> str:
        if self._events.is_aborted:
            return ABORTED
        with self._store.transaction() as state:
            job = state.job(self._number)
            assert job is not None
            if job.order:
                state.update(job._replace(order=""))
            return ABORTED if state.fact("closed", False) else job.order

    def _stop(self, reason: str) -> None:
        if self._reason in (reason, ABORTED):
            return
        self._reason = reason
        delay_s = _KILL_DELAYS_S.get(reason, self._policy.kill_delay_s)
        self._kill_at_s = min(self._kill_at_s, time.monotonic() + delay_s)
        if reason not in (REQUEUED, NODE_FAILED):
            self._signal_job(signal.SIGTERM)
            self._signal_job(signal.SIGCONT)

    def _check_time(self, plan: LaunchPlan) -> None:
        now_s = time.monotonic()
        if now_s >= self._overtime_at_s:
            self._overtime_at_s = _NEVER
            if not self._reason:
                # The job may write to the same file.
                with open(plan.stderr, "a") as stderr:
                    stderr.write(self._dialect.overtime_message(self._job, now_s - self._began_s))
                self._stop(OVER_WALLTIME)
        if now_s >= self._kill_at_s:
            self._kill_at_s = _NEVER
            kill_tree(os.getpid())
            self._reap()

    def _signal_job(self, number: int) -> None:
        signal_processes(family(process_table(), [os.getpid()]), number)

    def _simulate_dead_node(self) -> None:
        """Report nothing until the server notices that the node is dead."""
        until_s = time.monotonic() + self._policy.node_fail_requeue_s
        while self._reason == NODE_FAILED and time.monotonic() < until_s:
            self._events.wait(until_s)
            self._reason = self._take_order() or NODE_FAILED

    def _requeue(self) -> None:
        self._change(
            state=records.QUEUED,
            exit_status=self._dialect.exit_statuses.get(self._reason),
            placements=(),
            started_s=0.0,
            obit_s=time.time(),
            session_id=0,
            runner_pid=0,
            order="",
        )

    def _finish(self, plan: LaunchPlan) -> None:
        exit_status = self._dialect.exit_status(self._reason, self._shell_status or 0)
        self._wait_for_epilogue()
        reason = self._reason
        job = self._change(
            state=records.EXITING, exit_status=exit_status, obit_s=time.time(), end_reason=reason
        )
        delivered = plan.deliver()
        plan.clear()
        self._change(
            state=records.FINISHED,
            finished_s=time.time(),
            stageout_status=int(delivered),
            runner_pid=0,
            order="",
            comment=self._dialect.end_comment(job),
        )

    def _wait_for_epilogue(self) -> None:
        until_s = time.monotonic() + self._policy.epilogue_s
        while self._reason != ABORTED and not self._events.is_aborted and time.monotonic() < until_s:
            self._events.wait(until_s)
            if self._take_order() == ABORTED:
                return


class _Events:
    """Wakes the runner up when a child ends, an order arrives, a signal aborts it, or the owner ends."""

    def __init__(self, settings: Settings) -> None:
        #: Whether the job has to end at once.
        self.is_aborted = False
        self._settings = settings
        self._poller = select.poll()
        self._wakeup, self._wakeup_end = os.pipe()
        self._owner = -1

    def listen(self) -> None:
        """Install the signal handlers, and watch the owner."""
        for end in (self._wakeup, self._wakeup_end):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wakeup_end, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, ORDER_SIGNAL):
            # The signal's byte in the pipe is the event.
            signal.signal(number, lambda _number, _frame: None)
        for number in _ABORT_SIGNALS:
            signal.signal(number, lambda _number, _frame: setattr(self, "is_aborted", True))
        self._poller.register(self._wakeup, select.POLLIN)
        pid = self._settings.owner_pid
        if not pid or not hasattr(os, "pidfd_open"):
            return
        try:
            self._owner = os.pidfd_open(pid)
        except OSError:
            self.is_aborted = True
            return
        self._poller.register(self._owner, select.POLLIN)
        entry = process_table().get(pid)
        if entry is None or entry.started != self._settings.owner_started:
            self.is_aborted = True  # the process id belongs to another process by now

    def wait(self, until_s: float) -> None:
        """Wait for an event, or for a time of the monotonic clock."""
        left_s = until_s - time.monotonic()
        timeout_ms = None if left_s == _NEVER else max(0, int(left_s * 1000) + 1)
        if self._owner in [descriptor for descriptor, _ in self._poller.poll(timeout_ms)]:
            self._poller.unregister(self._owner)
            self.is_aborted = True
        with suppress(BlockingIOError):
            os.read(self._wakeup, 4096)
