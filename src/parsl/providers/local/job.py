"""One job of the local provider."""

from __future__ import annotations

import logging
import os
import signal
import threading

from parsl.common.processes import is_alive, terminate_tree
from parsl.vocabulary.job_states import JobState, JobStatus

logger = logging.getLogger(__name__)

_TERM_GRACE_S = 1.0
_KILL_GRACE_S = 0.8
_SHELL = "/bin/bash"
_OUTPUT_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND
_OUTPUT_MODE = 0o644
#: Signals that the driver may ignore or block; a job starts with the defaults.
_RESET_SIGNALS = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGPIPE,
    signal.SIGCHLD,
    signal.SIGXFSZ,
    signal.SIGUSR1,
    signal.SIGUSR2,
)


class LocalJob:
    """A shell script that runs as the leader of a session of its own.

    Any thread may call any method. The lock covers looking at the process and reaping it, so that
    its id is known to be its own while it is not marked as ended.

    Args:
        pid: The process, a child of this one.
        stdout_path: Where its standard output goes.
        stderr_path: Where its standard error goes.
    """

    def __init__(self, pid: int, stdout_path: str, stderr_path: str) -> None:
        self.pid = pid
        self.stdout_path = stdout_path
        self.stderr_path = stderr_path
        self._is_cancelled = False
        self._is_cleared = False
        self._has_ended = False
        self._exit_code: int | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<LocalJob {self.pid} {self.status().status_name}>"

    def has_ended(self) -> bool:
        """Look whether the script has ended, without waiting."""
        with self._lock:
            if not self._has_ended:
                self._reap()
            return self._has_ended

    def wait(self) -> None:
        """Wait until the script has ended."""
        try:
            # It stays a zombie until it is reaped under the lock.
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:
            pass  # reaped by another thread meanwhile
        self.has_ended()

    def cancel(self) -> None:
        """End the script and all that it has started, within two seconds; only the first call does anything.

        A script that has ended by itself keeps its state, but what it has left behind is ended.
        """
        if self._is_cleared:
            return
        if not self.has_ended():
            self._is_cancelled = True
        elif is_alive(self.pid):
            return  # the id is another process's by now, so nothing can be left of this session
        left = terminate_tree(self.pid, grace_s=_TERM_GRACE_S, kill_grace_s=_KILL_GRACE_S)
        if left:
            logger.warning("Processes of job %d could not be ended: %s", self.pid, left)
        self._is_cleared = not left

    def status(self) -> JobStatus:
        """Return the state, and the exit code once there is one (128 + n for signal n, as in a shell)."""
        ended = self.has_ended()
        message = None
        if self._is_cancelled:
            state = JobState.CANCELLED
        elif not ended:
            state = JobState.RUNNING
        elif self._exit_code == 0:
            state = JobState.COMPLETED
        else:
            state = JobState.FAILED
            message = _failure_message(self._exit_code)
        return JobStatus(
            state,
            message=message,
            exit_code=self._exit_code,
            stdout_path=self.stdout_path,
            stderr_path=self.stderr_path,
        )

    def _reap(self) -> None:
        try:
            pid, wait_status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            self._has_ended = True  # and whoever took the exit code, it was not us
            return
        if pid:
            code = os.waitstatus_to_exitcode(wait_status)
            self._exit_code = code if code >= 0 else 128 - code
            self._has_ended = True


def start_job(script_path: str, stdout_path: str, stderr_path: str) -> LocalJob:
    """Start a script, detached from the terminal and the signals of this process.

    Raises:
        OSError: It cannot be started, or its output files cannot be opened.
    """
    pid = os.posix_spawn(
        _SHELL,
        [_SHELL, script_path],
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, stdout_path, _OUTPUT_FLAGS, _OUTPUT_MODE),
            (os.POSIX_SPAWN_OPEN, 2, stderr_path, _OUTPUT_FLAGS, _OUTPUT_MODE),
        ],
        setsid=True,
        setsigmask=(),
        setsigdef=_RESET_SIGNALS,
    )
    return LocalJob(pid, stdout_path, stderr_path)


def _failure_message(exit_code: int | None) -> str:
    if exit_code is None:
        return "its exit code was taken by another part of this program, which waits for all children"
    return f"the job script ended with exit code {exit_code}"
