"""The provider for this machine, or for the batch job that the driver runs in."""

from __future__ import annotations

import errno
import logging
import os
import re
import shlex
import threading
from itertools import count

from parsl import validate
from parsl.common.representation import RepresentationMixin
from parsl.common.rundirs import make_directory
from parsl.launchers.base import check_launcher, launch_text
from parsl.launchers.launchers import SingleNodeLauncher
from parsl.providers.base import ExecutionProvider
from parsl.providers.local.job import LocalJob, start_job
from parsl.providers.retired import accepts_retired_provider_arguments
from parsl.vocabulary.job_states import JobState, JobStatus
from parsl.vocabulary.provider_errors import ScriptPathError, SubmitException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from parsl.launchers.base import Launcher

logger = logging.getLogger(__name__)

_DEFAULT_LAUNCHER = SingleNodeLauncher()
#: Why starting a process may succeed a little later: too many of them, or of open files, or no memory.
_PASSING = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})
_SCRIPT_MODE = 0o700  # worker_init may contain what others should not read


class LocalProvider(ExecutionProvider, RepresentationMixin):
    """Runs each block as a process of this machine.

    Inside a batch job of several nodes a launcher such as MpiExecLauncher reaches all of them.

    A job is a bash script in ``script_dir``: ``worker_init``, and then what the launcher makes of the
    command. It runs in the driver's working directory, in a session of its own, with its output in
    files beside the script. A command of ``worker_init`` that fails does not stop it (unless
    ``worker_init`` says ``set -e`` or ``exit``); its message is in the standard error.

    Any thread may call the methods. For each job that runs there is a thread that waits for its end,
    which calls ``on_job_end``. Jobs outlive a driver that is killed: it is the managers that notice,
    and end.

    Args:
        nodes_per_block: Nodes of one block; a matter of the launcher.
        launcher: Starts the managers on the nodes.
        init_blocks: Blocks to start with.
        min_blocks: Blocks that are kept even when there is nothing to do.
        max_blocks: Blocks that there may be at most.
        worker_init: Shell text to run first, such as the activation of an environment.
        cmd_timeout: Accepted for compatibility, in seconds; no command is waited for here.
        parallelism: Slots to have for each task, from 0 to 1.
    """

    submits_at_once = True

    @accepts_retired_provider_arguments
    def __init__(
        self,
        nodes_per_block: int = 1,
        launcher: Launcher = _DEFAULT_LAUNCHER,
        init_blocks: int = 1,
        min_blocks: int = 0,
        max_blocks: int = 1,
        worker_init: str = "",
        cmd_timeout: float = 30,
        parallelism: float = 1,
    ) -> None:
        super().__init__()
        self.set_block_limits(
            nodes_per_block=nodes_per_block,
            init_blocks=init_blocks,
            min_blocks=min_blocks,
            max_blocks=max_blocks,
            parallelism=parallelism,
        )
        self.launcher = check_launcher(self, "launcher", launcher)
        self.worker_init = validate.text(self, "worker_init", worker_init)
        self.cmd_timeout = validate.number(self, "cmd_timeout", cmd_timeout, above=0)
        self._numbers = count()
        self._jobs: dict[object, LocalJob] = {}

    @property
    def label(self) -> str:
        return "local"

    @property
    def status_polling_interval(self) -> int:
        return 5

    def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl.localprovider") -> str:
        """Start a job, and return at once.

        Args:
            command: What to run, as a command line for bash.
            tasks_per_node: How many copies the launcher starts on each node.
            job_name: The script and the output files are named for it.

        Returns:
            The process id of the script, as text (with more to it if an earlier job had the same).

        Raises:
            ScriptPathError: The script could not be written; or ``script_dir`` is not set.
            SubmitException: The script could not be started.
        """
        directory = self._open_script_dir()
        launch = launch_text(self.launcher, command, tasks_per_node, self.nodes_per_block, directory)
        stem = self._write_script(directory, job_name, launch)
        try:
            job = start_job(f"{stem}.sh", f"{stem}.stdout", f"{stem}.stderr")
        except (OSError, NotImplementedError) as error:
            message = f"{stem}.sh cannot be started with bash: {error}"
            is_permanent = getattr(error, "errno", None) not in _PASSING
            raise SubmitException(job_name, message, is_permanent=is_permanent) from error
        job_id = str(job.pid)
        if job_id in self._jobs:  # an ended job's process id is used again
            job_id = os.path.basename(f"{stem}.{job_id}")
        self._jobs[job_id] = job
        logger.debug("Started job %s with %s.sh", job_id, stem)
        name = f"parsl-job-{job_id}"
        threading.Thread(target=self._watch, args=(job_id, job), name=name, daemon=True).start()
        return job_id

    def status(self, job_ids: Sequence[object]) -> list[JobStatus]:
        """Say what jobs are doing; an id of no job here is MISSING."""
        return [self._status(job_id) for job_id in job_ids]

    def cancel(self, job_ids: Sequence[object]) -> list[bool]:
        """End jobs with all their processes, also what ended jobs have left behind.

        They have a second to end after SIGTERM, then they are killed. This waits until they have
        ended, together, which takes less than two seconds.

        Returns:
            For each id, whether it is one of a job here.
        """
        jobs = [self._jobs[job_id] for job_id in dict.fromkeys(job_ids) if job_id in self._jobs]
        _call_together([job.cancel for job in jobs])
        return [job_id in self._jobs for job_id in job_ids]

    def _status(self, job_id: object) -> JobStatus:
        job = self._jobs.get(job_id)
        if job is None:
            return JobStatus(JobState.MISSING, message=f"job {job_id!r} was not started by this provider")
        return job.status()

    def _watch(self, job_id: str, job: LocalJob) -> None:
        job.wait()
        logger.debug("Job %s has ended: %s", job_id, job.status())
        if self.on_job_end is None:
            return
        try:
            self.on_job_end(job_id)
        except Exception:
            logger.exception("on_job_end failed for job %s", job_id)

    def _open_script_dir(self) -> str:
        if self.script_dir is None:
            raise ScriptPathError(
                "(nowhere)",
                "the provider's script_dir is not set. An executor sets it when it starts; "
                "without an executor, set provider.script_dir to a directory first.",
            )
        directory = os.path.abspath(self.script_dir)
        try:
            make_directory(directory)
        except OSError as error:
            raise ScriptPathError(directory, error) from error
        return directory

    def _write_script(self, directory: str, job_name: str, launch: str) -> str:
        """Write the script under a name that is still free; return its path without ``.sh``."""
        safe_name = re.sub(r"[^\w.+-]", "_", job_name)
        while True:
            name = f"{safe_name}.{next(self._numbers)}"
            stem = os.path.join(directory, name)
            try:
                descriptor = os.open(f"{stem}.sh", os.O_WRONLY | os.O_CREAT | os.O_EXCL, _SCRIPT_MODE)
            except FileExistsError:
                continue
            except OSError as error:
                raise ScriptPathError(f"{stem}.sh", error) from error
            with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as script:
                script.write(self._script_text(name, launch))
            return stem

    def _script_text(self, name: str, launch: str) -> str:
        return f"#!/bin/bash\nexport JOBNAME={shlex.quote(name)}\n{self.worker_init}\n\n{launch}\n"


def _call_together(functions: Sequence[Callable[[], None]]) -> None:
    threads = []
    for function in functions[1:]:
        thread = threading.Thread(target=function, name="parsl-cancel")
        try:
            thread.start()
        except RuntimeError:  # the interpreter is at its end, and starts no threads any more
            function()
        else:
            threads.append(thread)
    for function in functions[:1]:
        function()
    for thread in threads:
        thread.join()
