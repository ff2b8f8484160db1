"""The provider for this machine, or for the batch job that the driver runs in."""

from __future__ import annotations

import errno
import logging
import os
import re
import shlex
import signal
import threading
from collections.abc import Sequence
from itertools import count

from parsl import validate
from parsl.common import pass_on_upstream_names
from parsl.common.processes import is_alive, terminate_tree, wait_for_child
from parsl.common.representation import RepresentationMixin
from parsl.launchers.base import Launcher, check_launcher, launch_text
from parsl.launchers.launchers import SingleNodeLauncher
from parsl.providers.base import ExecutionProvider, accepts_retired_local_arguments
from parsl.providers.job_files import open_script_dir, reserve_job_files
from parsl.vocabulary.job_states import JobState, JobStatus
from parsl.vocabulary.provider_errors import SubmitException

logger = logging.getLogger(__name__)

#: Errors that may pass: too many processes or open files, or too little memory.
_TRANSIENT_ERRORS = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})
_TERM_GRACE_S = 1.0
_KILL_GRACE_S = 0.8
_SHELL = "/bin/bash"
_OUTPUT = (os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
#: Signals that the driver may ignore or block. A job starts with their default actions.
_RESET_SIGNALS = [
    signal.Signals[f"SIG{name}"]
    for name in ("HUP", "INT", "QUIT", "TERM", "PIPE", "CHLD", "XFSZ", "USR1", "USR2")
]


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
            wait_for_child(self.pid)
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
        state, message = JobState.RUNNING, None
        if self._is_cancelled:
            state = JobState.CANCELLED
        elif ended and self._exit_code == 0:
            state = JobState.COMPLETED
        elif ended:
            state, message = JobState.FAILED, f"the job script ended with exit code {self._exit_code}"
            if self._exit_code is None:
                cause = "another part of this program, which waits for all child processes,"
                message = f"{cause} has taken its exit code"
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


class LocalProvider(ExecutionProvider, RepresentationMixin):
    """Runs each block as a process of this machine.

    Inside a batch job of several nodes, a launcher such as MpiExecLauncher reaches all of them.

    A job is a bash script in ``script_dir``: ``worker_init``, and the launcher's text for the command. The
    script runs in the driver's working directory, in its own session, with its output in files next to the
    script. A failing command of ``worker_init`` does not stop the script (unless ``worker_init`` contains
    ``set -e`` or ``exit``); its message is in the standard error.

    Any thread may call the methods. For each running job, a thread waits for the end of the job and then
    calls ``on_job_end``. Jobs survive a driver that is killed; their managers notice that and exit.

    Args:
        nodes_per_block: Nodes of one block; only the launcher uses this number.
        launcher: Starts the managers on the nodes.
        init_blocks: Blocks to start with.
        min_blocks: Blocks to keep when there are no tasks.
        max_blocks: The maximum number of blocks.
        worker_init: Shell text to run first, such as the activation of an environment.
        cmd_timeout: Ignored, as this provider waits for no commands (seconds).
        parallelism: Slots to provide for each task, from 0 to 1.
    """

    launcher = validate.Custom(check_launcher)
    worker_init = validate.Text()
    cmd_timeout = validate.Number(above=0)

    submits_at_once = True

    @accepts_retired_local_arguments
    def __init__(
        self,
        nodes_per_block: int = 1,
        launcher: Launcher = SingleNodeLauncher(),
        init_blocks: int = 1,
        min_blocks: int = 0,
        max_blocks: int = 1,
        worker_init: str = "",
        cmd_timeout: float = 30,
        parallelism: float = 1,
    ) -> None:
        validate.assign(self, locals())
        self._check_block_limits()
        self._numbers = count()
        self._jobs: dict[object, LocalJob] = {}
        self.resources = {}

    @property
    def label(self) -> str:
        return "local"

    @property
    def status_polling_interval(self) -> int:
        return 5

    def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl.localprovider") -> str:
        """Start a job, and return the process id of its script, as text, without waiting.

        The id has a prefix if an earlier job had the same one. The names of the script and the output
        files start with ``job_name``.
        """
        directory = open_script_dir(self.script_dir)
        launch = launch_text(self.launcher, command, tasks_per_node, self.nodes_per_block, directory)
        files = reserve_job_files(directory, re.sub(r"[^\w.+-]", "_", job_name), self._numbers)
        name = shlex.quote(files.name)
        files.write(".sh", f"#!/bin/bash\nexport JOBNAME={name}\n{self.worker_init}\n\n{launch}\n")
        try:
            job = start_job(files.script_path, files.stdout_path, files.stderr_path)
        except (OSError, NotImplementedError) as error:
            message = f"{files.script_path} cannot be started with bash: {error}"
            is_permanent = getattr(error, "errno", None) not in _TRANSIENT_ERRORS
            raise SubmitException(job_name, message, is_permanent=is_permanent) from error
        job_id = str(job.pid)
        if job_id in self._jobs:  # the system has reused the process id of a job that has ended
            job_id = f"{files.name}.{job_id}"
        self._jobs[job_id] = job
        self._note_job(job_id, files, job.status(), remote_pid=job.pid, script_path=files.script_path)
        logger.debug("Started job %s with %s", job_id, files.script_path)
        name = f"parsl-job-{job_id}"
        threading.Thread(target=self._watch, args=(job_id, job), name=name, daemon=True).start()
        return job_id

    def status(self, job_ids: Sequence[object]) -> list[JobStatus]:
        """Return the status of jobs; MISSING for an id that is not of a job of this provider."""
        statuses = [
            self._jobs[job_id].status()
            if job_id in self._jobs
            else JobStatus(JobState.MISSING, message=f"job {job_id!r} was not started by this provider")
            for job_id in job_ids
        ]
        self._note_statuses(job_ids, statuses)
        return statuses

    def cancel(self, job_ids: Sequence[object]) -> list[bool]:
        """End jobs with all their processes, including those that ended jobs have left behind.

        The processes have a second to end after SIGTERM; then they are killed. This method waits until
        they have ended, which takes less than two seconds for all jobs together. It returns, for each id,
        whether it is of a job of this provider.
        """
        _cancel_together([self._jobs[job_id] for job_id in dict.fromkeys(job_ids) if job_id in self._jobs])
        return [job_id in self._jobs for job_id in job_ids]

    def _watch(self, job_id: str, job: LocalJob) -> None:
        job.wait()
        logger.debug("Job %s has ended: %s", job_id, job.status())
        if self.on_job_end is None:
            return
        try:
            self.on_job_end(job_id)
        except Exception:
            logger.exception("on_job_end failed for job %s", job_id)


def _cancel_together(jobs: Sequence[LocalJob]) -> None:
    threads = []
    for job in jobs[1:]:
        thread = threading.Thread(target=job.cancel, name="parsl-cancel")
        try:
            thread.start()
        except RuntimeError:  # no threads can start while the interpreter exits
            job.cancel()
        else:
            threads.append(thread)
    for job in jobs[:1]:
        job.cancel()
    for thread in threads:
        thread.join()


pass_on_upstream_names(__name__)
