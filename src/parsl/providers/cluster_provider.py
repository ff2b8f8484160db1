"""The base class of the providers of batch schedulers."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import count
from shlex import quote
from subprocess import TimeoutExpired

from parsl import validate
from parsl.common import pass_on_upstream_names
from parsl.common.commands import run_command
from parsl.launchers.base import Launcher, check_launcher, launch_text
from parsl.providers.base import ExecutionProvider
from parsl.providers.batch.answers import JobRecord
from parsl.providers.batch.dialect import Dialect
from parsl.providers.batch.job_script import double_quoted, fill_job_script, left_aligned
from parsl.providers.batch.parameters import parse_walltime
from parsl.providers.batch.scheduler import (
    CommandLineRunner,
    CommandRunner,
    LostSubmissions,
    Scheduler,
    read_submission,
)
from parsl.providers.batch.status_collector import Collection, StatusCollector
from parsl.providers.job_files import JobFiles, open_script_dir, reserve_job_files
from parsl.vocabulary.job_states import JobState, JobStatus
from parsl.vocabulary.provider_errors import ScriptPathError, SubmitException

logger = logging.getLogger(__name__)

#: How many times ``cmd_timeout`` the status queries for all jobs may take together. The remaining jobs are
#: queried first the next time.
MAX_STATUS_TIMEOUTS = 4
#: The maximum number of jobs in one cancel command.
MAX_CANCELLED_AT_ONCE = 500
#: A scheduler may not know a job that it has accepted more recently than this, in seconds.
FRESH_S = 5.0
#: How long a scheduler must not know a job whose end has not been seen, in seconds.
UNSEEN_END_S = 10.0

_MAX_NAME_CHARS = 180
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_.+-]")


def _check_walltime(owner: ClusterProvider, name: str, value: object) -> str:
    parse_walltime(owner, value, bare=owner.walltime_bare_unit, pair=owner.walltime_pair_unit)
    return value  # type: ignore[return-value]


class ClusterProvider(ExecutionProvider):
    """Runs each block as a job of a batch scheduler.

    A job is a bash script in ``script_dir``: the scheduler's directives, ``worker_init``, and the launcher's
    text for the command. Its output is next to the script.

    A subclass describes its scheduler (:attr:`dialect`) and the directives (:attr:`header_path`,
    :meth:`header_values`). The methods may be called from any thread, one at a time.

    The provider trusts only explicit answers: a job stays UNKNOWN if a command fails, prints something
    unreadable or omits the job. A job is MISSING only if the scheduler, queried for this job alone, does
    not know it.

    Args:
        label: A short name of the provider, for logs.
    """

    walltime: str = validate.Custom(_check_walltime)
    launcher = validate.Custom(check_launcher)
    cmd_timeout = validate.Number(above=0)
    worker_init: str = validate.Text()
    scheduler_options: str = validate.Text()

    #: Runs the scheduler's commands. Tests set another one on an instance.
    command_runner = CommandRunner()
    #: The units of a single number, and of the first of a pair of numbers, in a walltime.
    walltime_bare_unit = "second"
    walltime_pair_unit = "minute"
    #: The template of the directives; None for a job script without directives.
    header_path: str | None = None
    #: Whether the job script redirects its output, because the scheduler would deliver it only at the end.
    redirects_output = True

    def __init__(
        self,
        label: str,
        nodes_per_block: int,
        init_blocks: int,
        min_blocks: int,
        max_blocks: int,
        parallelism: float,
        walltime: str,
        launcher: Launcher,
        cmd_timeout: float = 10,
        worker_init: str = "",
        scheduler_options: str = "",
    ) -> None:
        # Python's help and the reference show this text for all subclasses, whose own ones lack a docstring.
        """Each provider of a batch scheduler has these parameters, in addition to its own.

        Args:
            nodes_per_block: Nodes of one block.
            init_blocks: Blocks to start with.
            min_blocks: Blocks to keep when there are no tasks.
            max_blocks: The maximum number of blocks.
            parallelism: Slots to provide for each task, from 0 to 1.
            walltime: The time limit of a block, as HH:MM:SS or in one of the scheduler's other forms.
            launcher: Starts the managers on the nodes.
            cmd_timeout: How long a command of the scheduler may take, in seconds.
            worker_init: Shell text to run first, such as the activation of an environment.
            scheduler_options: Further lines for the job script: directives of the scheduler.
        """
        self._configure(label, locals())

    def _configure(self, label: str, parameters: Mapping[str, object]) -> None:
        validate.assign(self, parameters)
        self._check_block_limits()
        self._label = label
        self._token = os.urandom(2).hex()
        self._numbers: Iterator[int] = count()
        self._jobs: dict[object, SubmittedJob] = {}
        self.resources = {}
        self._lost = LostSubmissions()
        self._last_problem: str | None = None

    @cached_property
    def dialect(self) -> Dialect:
        """The scheduler's commands."""
        raise NotImplementedError(f"{type(self).__name__} defines no dialect of its scheduler")

    def header_values(self, files: JobFiles, tasks_per_node: int) -> Mapping[str, str | None]:
        """Return the values of the header's own placeholders."""
        return {}

    @property
    def status_batch_limit(self) -> int:
        return self.dialect.batch_size

    @property
    def cancel_batch_limit(self) -> int:
        return min(self.dialect.batch_size, MAX_CANCELLED_AT_ONCE)

    @property
    def label(self) -> str:
        return self._label

    @property
    def status_polling_interval(self) -> int:
        return 30

    @property
    def walltime_s(self) -> int:
        return parse_walltime(self, self.walltime, bare=self.walltime_bare_unit, pair=self.walltime_pair_unit)

    def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl.auto") -> str:
        """Submit a job, and return its id, as the scheduler prints it, as soon as the job is accepted.

        If the scheduler does not accept the job, ``is_permanent`` of the SubmitException shows whether
        another attempt can succeed. The job's name starts with ``job_name``.
        """
        directory = open_script_dir(self.script_dir)
        if "\n" in directory or "\r" in directory:
            raise ScriptPathError(directory, "a directory with a line break in its name cannot be used")
        name = plain_job_name(f"{job_name}.{self._token}")
        files = reserve_job_files(directory, name, self._numbers)
        texts = self._job_texts(files, command, tasks_per_node)
        for suffix, text in texts.items():
            files.write(suffix, text)
        scheduler = self._scheduler()
        if (problem := self._lost.resolve(scheduler)) is not None:
            raise SubmitException(files.name, f"an earlier submission has no known result, and {problem}")
        job_id = self._submit(scheduler, files, texts[self.dialect.submit_suffix])
        # Some day a scheduler reuses an id: a new record replaces that of the earlier job.
        self._jobs[job_id] = SubmittedJob(job_id, files, self.command_runner.now_s())
        self._note_job(job_id, files, JobStatus(JobState.PENDING))
        logger.info("Job %s is %s", job_id, files.script_path)
        return job_id

    def preview(self, command: str, tasks_per_node: int = 1, job_name: str = "parsl.auto") -> dict[str, str]:
        """Return what ``submit`` would submit, without writing anything.

        Args:
            command: The command to run on the nodes.
            tasks_per_node: How many copies of the command to start on each node.
            job_name: The first part of the job's name.

        Returns:
            The texts of the job's files by path; the submit command gets the last one.
        """
        directory = os.path.abspath(self.script_dir or "runinfo/000/submit_scripts")
        files = JobFiles(directory, f"{plain_job_name(job_name)}.0")
        texts = self._job_texts(files, command, tasks_per_node)
        return {files.stem + suffix: text for suffix, text in texts.items()}

    def status(self, job_ids: Sequence[object]) -> list[JobStatus]:
        """Query jobs, except those that are known to have ended."""
        jobs = [self._job(job_id) for job_id in job_ids]
        open_ids = [str(job_id) for job_id in dict.fromkeys(job_ids) if not self._job(job_id).final_status]
        findings = self._collect(open_ids)
        statuses = [job.final_status or self._status(job, findings) for job in jobs]
        self._note_statuses(job_ids, statuses)
        return statuses

    def has_changed(self, job_ids: Sequence[object]) -> bool:
        """Return whether the files of jobs show starts or ends since the last call."""
        changed = [self._jobs[job_id].has_changed() for job_id in job_ids if job_id in self._jobs]
        return any(changed)

    def cancel(self, job_ids: Sequence[object]) -> list[bool]:
        """Request the cancellation of jobs, which may take a while; True for jobs that have ended, too."""
        waiting = [job_id for job_id in dict.fromkeys(job_ids) if not self._job(job_id).final_status]
        answers = self._scheduler().cancel([str(job_id) for job_id in waiting])
        accepted = dict(zip(waiting, answers, strict=True))
        return [accepted.get(job_id, True) for job_id in job_ids]

    def cancel_commands(self, job_ids: Sequence[object]) -> list[list[str]]:
        if self._has_own_execute_wait:
            return []  # only this process can run commands in that way
        ids, limit = list(map(str, job_ids)), self.cancel_batch_limit
        return [
            self.dialect.cancel_command(ids[start : start + limit]) for start in range(0, len(ids), limit)
        ]

    def execute_wait(self, cmd: str, timeout: float | None = None) -> tuple[int, str, str]:
        """Run a command line.

        A subclass that overrides this method, for instance to run the scheduler's commands on another host
        by ssh, submits, queries and cancels its jobs with it. The job scripts have to be in a directory that
        exists there, too. If the driver is killed, such jobs are not cancelled; their managers exit.

        Args:
            cmd: A command line for bash.
            timeout: How long the command may take, in seconds; None for ``cmd_timeout``.

        Returns:
            Exit code, standard output, standard error.

        Raises:
            subprocess.TimeoutExpired: The command took longer.
        """
        timeout_s = self.cmd_timeout if timeout is None else timeout
        result = run_command(["/bin/bash", "-c", cmd], timeout_s)
        if result.timed_out:
            raise TimeoutExpired(cmd, timeout_s, result.stdout, result.stderr)
        return result.exit_code, result.stdout, result.stderr

    @property
    def _has_own_execute_wait(self) -> bool:
        return getattr(self.execute_wait, "__func__", None) is not _EXECUTE_WAIT

    def _job_texts(self, files: JobFiles, command: str, tasks_per_node: int) -> dict[str, str]:
        """Return the texts of a job's files by suffix; the last one is submitted."""
        return {".sh": self._script_text(files, command, tasks_per_node)}

    def _script_text(self, files: JobFiles, command: str, tasks_per_node: int) -> str:
        launch = launch_text(self.launcher, command, tasks_per_node, self.nodes_per_block, files.directory)
        values: dict[str, str | None] = {
            "name": files.name,
            "job_name": quote(files.name),
            "scheduler_output": double_quoted(files.scheduler_output_path),
            "stdout": quote(files.stdout_path),
            "stderr": quote(files.stderr_path),
            "exit": quote(files.exit_path),
            "walltime_s": str(self.walltime_s),
            "memory_gb": None,
            "cores": None,
            "scheduler_options": left_aligned(self.scheduler_options),
            "worker_init": self.worker_init,
            "launch": launch,
            **self.header_values(files, tasks_per_node),
        }
        return fill_job_script(self.header_path, values, redirects_output=self.redirects_output)

    def _scheduler(self) -> Scheduler:
        name, runner = type(self).__name__, self.command_runner
        if self._has_own_execute_wait:
            runner = CommandLineRunner(name, self.execute_wait, runner)
        return Scheduler(name, self.dialect, runner, self.cmd_timeout, self.cancel_batch_limit)

    def _submit(self, scheduler: Scheduler, files: JobFiles, text: str) -> str:
        result = scheduler.submit(files.name, files.stem + self.dialect.submit_suffix, text)
        try:
            return read_submission(self.dialect, files.name, result)
        except SubmitException:
            if result.timed_out or result.exit_code == 0:
                self._lost.add(files.name)
            if not result.timed_out:  # a scheduler that has just timed out would not answer this either
                self._lost.resolve(scheduler)
            raise

    @cached_property
    def _collector(self) -> StatusCollector:
        return StatusCollector(self.dialect)

    def _collect(self, job_ids: list[str]) -> Collection:
        run = self._scheduler().status_runner(MAX_STATUS_TIMEOUTS)
        findings = self._collector.collect(run, job_ids, self.status_batch_limit)
        if findings.problem and findings.problem != self._last_problem:
            logger.warning(
                "%s: the status of some jobs is unknown: %s", type(self).__name__, findings.problem
            )
        self._last_problem = findings.problem
        return findings

    def _job(self, job_id: object) -> SubmittedJob:
        return self._jobs.setdefault(job_id, SubmittedJob(job_id))

    def _status(self, job: SubmittedJob, findings: Collection) -> JobStatus:
        short_id = self.dialect.short_id(str(job.job_id))
        record = findings.records.get(short_id)
        if record is not None:
            return job.record_status(record)
        if short_id in findings.gone:
            return job.unknown_status(self.command_runner.now_s(), self.dialect.forgetful_s, findings.problem)
        return JobStatus(JobState.UNKNOWN, message=findings.problem)


#: The method that runs command lines on this host; a subclass or an instance may have another one.
_EXECUTE_WAIT = ClusterProvider.execute_wait


class SubmittedJob:
    """One job: its files, and its final status once it has ended. Times are on the provider's clock."""

    def __init__(
        self, job_id: object, files: JobFiles | None = None, submitted_s: float = float("-inf")
    ) -> None:
        self.job_id = job_id
        self.files = files  #: None for a job that another provider has submitted
        self.final_status: JobStatus | None = None
        self._submitted_s = submitted_s
        self._unknown_since_s: float | None = None
        self._progress = (False, False)

    def has_changed(self) -> bool:
        """Return whether the files show a start or an end that was not there at the last call."""
        before = self._progress
        if self.files is not None:
            self._progress = self.files.progress()
        return self._progress != before

    def record_status(self, record: JobRecord) -> JobStatus:
        self._unknown_since_s = None
        status = self._status(record.state, record.message, record.exit_code)
        status.can_never_run = record.can_never_run
        return status

    def unknown_status(self, now_s: float, forgetful_s: float, problem: str | None) -> JobStatus:
        """Return the status of a job that the scheduler explicitly does not know.

        The job is MISSING only if the scheduler has not known it for some time, as schedulers may not know
        jobs that they have just accepted, or that have just ended.
        """
        if now_s - self._submitted_s < FRESH_S:
            return JobStatus(JobState.UNKNOWN, message=problem)
        if self._unknown_since_s is None:
            self._unknown_since_s = now_s
        end_was_seen = self.files is None or self.files.progress()[1]
        grace_s = max(forgetful_s, 0.0 if end_was_seen else UNSEEN_END_S)
        if now_s - self._unknown_since_s < grace_s:
            return JobStatus(JobState.UNKNOWN, message=problem)
        return self._status(JobState.MISSING, f"the scheduler no longer knows job {self.job_id}")

    def _status(self, state: JobState, message: str | None, exit_code: int | None = None) -> JobStatus:
        stdout_path = stderr_path = None
        if self.files is not None:
            stdout_path, stderr_path = self.files.stdout_path, self.files.stderr_path
            if not _has_text(stderr_path) and _has_text(self.files.scheduler_output_path):
                stderr_path = self.files.scheduler_output_path
        status = JobStatus(state, message, exit_code, stdout_path, stderr_path)
        if status.terminal:
            self.final_status = status
        return status


def _has_text(path: str) -> bool:
    try:
        return os.stat(path).st_size > 0
    except OSError:
        return False


def plain_job_name(job_name: str) -> str:
    """Return a name that all schedulers accept: without blanks, starting with a letter, not too long."""
    plain = _NOT_PLAIN.sub("_", job_name)
    if not plain[:1].isalpha():
        plain = f"j{plain}"
    return plain[:_MAX_NAME_CHARS]


pass_on_upstream_names(__name__)
