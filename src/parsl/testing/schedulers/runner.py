"""The process that runs one job: starts it, obeys orders, watches its time, delivers its output.

One process, one loop. It is a child subreaper, so that whatever the job starts stays below it, and it ends
all of that with the job. It also ends the job when the process ends to which the cluster belongs.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Sequence

from parsl.common.process_tree import become_subreaper
from parsl.common.processes import family, kill_tree, process_table
from parsl.testing.schedulers import job_files
from parsl.testing.schedulers.dialect import RESET_SIGNALS, find_dialect
from parsl.testing.schedulers.records import (
    ABORTED,
    EXITING,
    FINISHED,
    NODE_FAILED,
    OVER_WALLTIME,
    QUEUED,
    REQUEUED,
    RUNNING,
    SUSPENDED,
    Job,
)
from parsl.testing.schedulers.starter import Starter
from parsl.testing.schedulers.store import ClusterStore

#: Sent to a runner whose record holds an order.
ORDER_SIGNAL = signal.SIGUSR1
_ABORT_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
#: When everything is ended, processes have this long after SIGTERM.
_ABORT_GRACE_S = 1.0


def main(arguments: Sequence[str]) -> int:
    """Run a job; the arguments: the cluster's directory, the job's number, a descriptor of the lock."""
    directory, number, lock = arguments
    os.set_inheritable(int(lock), False)
    JobRunner(ClusterStore(directory), int(number)).run()
    return 0


class JobRunner:
    """Runs one job to its end, or until it goes back to the queue.

    Args:
        store: The cluster.
        number: The job.
    """

    def __init__(self, store: ClusterStore, number: int) -> None:
        self._store = store
        self._number = number
        self._shell = 0
        self._shell_status: int | None = None
        self._is_childless = False
        self._reason = ""
        self._kill_at_s = float("inf")
        self._wakeup, self._wakeup_end = os.pipe()
        self._is_aborted_by_signal = False
        with store.transaction() as state:
            self._settings = state.settings()
        self._dialect = find_dialect(self._settings, store.directory)
        self._policy = self._settings.policy

    def __repr__(self) -> str:
        return f"<JobRunner of {self._number}: shell {self._shell}, reason {self._reason!r}>"

    def run(self) -> None:
        """Run the job."""
        become_subreaper()
        self._listen()
        job = self._register()
        if job is None:
            return
        plan = self._dialect.launch_plan(job, self._payload)
        job_files.prepare(plan)
        self._start(plan)
        self._loop()
        kill_tree(os.getpid())
        self._reap()
        if self._reason == NODE_FAILED:
            self._stay_silent()
        if self._reason in (REQUEUED, NODE_FAILED) and job.rerunnable:
            job_files.clear(plan)
            self._go_back()
        else:
            self._finish(plan)
        with Starter(self._store) as starter, self._store.transaction() as state:
            starter.plan(state)

    def _listen(self) -> None:
        os.set_blocking(self._wakeup_end, False)
        os.set_blocking(self._wakeup, False)
        signal.set_wakeup_fd(self._wakeup_end, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, ORDER_SIGNAL):
            signal.signal(number, lambda _number, _frame: None)
        for number in _ABORT_SIGNALS:
            signal.signal(number, self._note_abort)
        self._poller = select.poll()
        self._poller.register(self._wakeup, select.POLLIN)
        self._owner = self._open_owner()
        if self._owner is not None:
            self._poller.register(self._owner, select.POLLIN)

    def _note_abort(self, _number: int, _frame: object) -> None:
        self._is_aborted_by_signal = True

    def _open_owner(self) -> int | None:
        """Open a descriptor that tells of the end of the process to which the cluster belongs."""
        pid = self._settings.owner_pid
        if not pid or not hasattr(os, "pidfd_open"):
            return None
        try:
            owner = os.pidfd_open(pid)
        except OSError:
            self._is_aborted_by_signal = True
            return None
        entry = process_table().get(pid)
        if entry is None or entry.started != self._settings.owner_started:
            self._is_aborted_by_signal = True
        return owner

    def _register(self) -> Job | None:
        with self._store.transaction() as state:
            job = state.job(self._number)
            if job is None or job.state != RUNNING:
                return None
            self._payload = state.payload(self._number)
            job = job._replace(runner_pid=os.getpid())
            state.update(job)
            return job

    def _change(self, **fields: object) -> Job:
        with self._store.transaction() as state:
            job = state.job(self._number)
            assert job is not None
            job = job._replace(modified_s=time.time(), **fields)  # type: ignore[arg-type]
            state.update(job)
            return job

    def _start(self, plan: job_files.LaunchPlan) -> None:
        self._began_s = time.monotonic()
        # A signal for the new process must not be taken by a handler of ours.
        signal.pthread_sigmask(signal.SIG_BLOCK, _ABORT_SIGNALS)
        self._shell = os.fork()
        if self._shell == 0:
            _become(plan, self._dialect.no_shell_status)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ABORT_SIGNALS)
        job = self._change(session_id=self._shell)
        self._overtime_at_s = float("inf")
        if job.walltime_s is not None:
            self._overtime_at_s = self._began_s + job.walltime_s + self._policy.walltime_delay_s
        self._stderr = plan.stderr

    def _loop(self) -> None:
        while not self._is_over():
            self._reap()
            self._obey()
            self._watch_time()
            if not self._is_over():
                self._sleep(min(self._overtime_at_s, self._kill_at_s))

    def _is_over(self) -> bool:
        """Whether the script has ended; if it was made to, whether all that it started has."""
        return self._shell_status is not None and (not self._reason or self._is_childless)

    def _sleep(self, until_s: float) -> None:
        left_s = until_s - time.monotonic()
        timeout_ms = None if left_s == float("inf") else max(0, int(left_s * 1000) + 1)
        ready = [descriptor for descriptor, _ in self._poller.poll(timeout_ms)]
        if self._owner in ready:
            assert self._owner is not None
            self._poller.unregister(self._owner)
            self._is_aborted_by_signal = True
        try:
            os.read(self._wakeup, 4096)
        except BlockingIOError:
            pass

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

    def _obey(self) -> None:
        if self._shell_status is not None and not self._reason:
            return  # it has ended by itself
        order = ABORTED if self._is_aborted_by_signal else self._take_order()
        if order == "suspend":
            self._signal_job(signal.SIGSTOP)
            self._change(state=SUSPENDED)
        elif order == "resume":
            self._signal_job(signal.SIGCONT)
            self._change(state=RUNNING)
        elif order:
            self._stop(order)

    def _take_order(self) -> str:
        with self._store.transaction() as state:
            job = state.job(self._number)
            assert job is not None
            if job.order:
                state.update(job._replace(order=""))
            return ABORTED if state.fact("closed", False) else job.order

    def _stop(self, reason: str) -> None:
        if self._reason in (reason, ABORTED):
            return
        delays_s = {REQUEUED: 0.0, NODE_FAILED: 0.0, ABORTED: _ABORT_GRACE_S}
        self._reason = reason
        self._kill_at_s = min(
            self._kill_at_s, time.monotonic() + delays_s.get(reason, self._policy.kill_delay_s)
        )
        if delays_s.get(reason) != 0.0:
            self._signal_job(signal.SIGTERM)
            self._signal_job(signal.SIGCONT)

    def _watch_time(self) -> None:
        now_s = time.monotonic()
        if now_s >= self._overtime_at_s:
            self._overtime_at_s = float("inf")
            self._end_overtime(now_s - self._began_s)
        if now_s >= self._kill_at_s:
            self._kill_at_s = float("inf")
            kill_tree(os.getpid())
            self._reap()

    def _end_overtime(self, elapsed_s: float) -> None:
        if self._reason:
            return
        with self._store.transaction() as state:
            job = state.job(self._number)
        assert job is not None
        message = self._dialect.overtime_message(job, elapsed_s)
        if message:
            job_files.append(self._stderr, message)
        self._stop(OVER_WALLTIME)

    def _signal_job(self, number: int) -> None:
        for pid in family(process_table(), [os.getpid()]):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def _stay_silent(self) -> None:
        """Be a dead node: the server does not know yet that anything has happened."""
        until_s = time.monotonic() + self._policy.node_fail_requeue_s
        while self._reason == NODE_FAILED and time.monotonic() < until_s:
            self._sleep(until_s)
            order = ABORTED if self._is_aborted_by_signal else self._take_order()
            if order:
                self._reason = order

    def _go_back(self) -> None:
        now_s = time.time()
        self._change(
            state=QUEUED,
            exit_status=self._dialect.exit_statuses.get(self._reason),
            placements=(),
            started_s=0.0,
            obit_s=now_s,
            session_id=0,
            runner_pid=0,
            order="",
        )

    def _finish(self, plan: job_files.LaunchPlan) -> None:
        status = self._shell_status or 0
        exit_status = self._dialect.exit_status(self._reason, status)
        self._wait_for_epilogue()
        job = self._change(
            state=EXITING, exit_status=exit_status, obit_s=time.time(), end_reason=self._reason
        )
        delivered = job_files.deliver(plan)
        job_files.clear(plan)
        self._change(
            state=FINISHED,
            finished_s=time.time(),
            stageout_status=int(delivered),
            runner_pid=0,
            order="",
            comment=self._dialect.end_comment(job),
        )

    def _wait_for_epilogue(self) -> None:
        until_s = time.monotonic() + self._policy.epilogue_s
        while not self._is_aborted_by_signal and self._reason != ABORTED and time.monotonic() < until_s:
            self._sleep(until_s)
            if self._take_order() == ABORTED:
                return


def _become(plan: job_files.LaunchPlan, no_shell_status: int) -> None:
    """Turn this process, just forked, into the job's shell."""
    try:
        os.setsid()
        os.chdir(plan.workdir)
        job_files.redirect(plan)
        signal.set_wakeup_fd(-1)
        for number in RESET_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.execve(plan.program, plan.arguments, plan.environment)
    except OSError as error:
        os.write(2, f"{plan.program}: {error.strerror}\n".encode())
    finally:
        os._exit(no_shell_status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
