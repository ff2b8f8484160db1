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
_OUTPUT = (os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
#: Signals that the driver may ignore or block. A job starts with their default actions.
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
    """A shell script that runs as a child of this process and as the leader of its own session.

    Any thread may call any method. The lock covers both checking the process and reaping it: as long as the
    job is not marked as ended, the process id cannot belong to another process.
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

    def has_ended(self) -> bool:
        """Return whether the script has ended, without waiting."""
        with self._lock:
            if not self._has_ended:
                self._reap()
            return self._has_ended

    def wait(self) -> None:
        try:
            # The process stays a zombie until it is reaped under the lock.
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:
            pass  # another thread has reaped the process
        self.has_ended()

    def cancel(self) -> None:
        """End the script and all its processes within two seconds; further calls have no effect.

        A script that has already ended keeps its state, but the processes that it left behind are ended.
        """
        if self._is_cleared:
            return
        if not self.has_ended():
            self._is_cancelled = True
        elif is_alive(self.pid):
            return  # the id now belongs to another process, so nothing can be left of this session
        remaining = terminate_tree(self.pid, grace_s=_TERM_GRACE_S, kill_grace_s=_KILL_GRACE_S)
        if remaining:
            logger.warning("Processes of job %d could not be ended: %s", self.pid, remaining)
        self._is_cleared = not remaining

    def status(self) -> JobStatus:
        """Return the state, and the exit code if the job has ended (128 + n for signal n, as in a shell)."""
        ended = self.has_ended()
        message = None
        if self._is_cancelled:
            state = JobState.CANCELLED
        elif not ended:
            state = JobState.RUNNING
        elif self._exit_code == 0:
            state = JobState.COMPLETED
        elif self._exit_code is None:
            state = JobState.FAILED
            message = (
                "another part of this program, which waits for all child processes, has taken its exit code"
            )
        else:
            state = JobState.FAILED
            message = f"the job script ended with exit code {self._exit_code}"
        return JobStatus(state, message, self._exit_code, self.stdout_path, self.stderr_path)

    def _reap(self) -> None:
        try:
            pid, wait_status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            self._has_ended = True  # another part of the program has taken the exit code
            return
        if pid:
            code = os.waitstatus_to_exitcode(wait_status)
            self._exit_code = code if code >= 0 else 128 - code
            self._has_ended = True


def start_job(script_path: str, stdout_path: str, stderr_path: str) -> LocalJob:
    """Start a script, detached from the terminal and the signals of this process, or raise OSError."""
    pid = os.posix_spawn(
        _SHELL,
        [_SHELL, script_path],
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, stdout_path, *_OUTPUT),
            (os.POSIX_SPAWN_OPEN, 2, stderr_path, *_OUTPUT),
        ],
        setsid=True,
        setsigmask=(),
        setsigdef=_RESET_SIGNALS,
    )
    return LocalJob(pid, stdout_path, stderr_path)
