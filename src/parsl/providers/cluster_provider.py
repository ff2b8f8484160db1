"""What all providers of batch jobs do in the same way."""

from __future__ import annotations

import logging
import os
import time
from itertools import count

from parsl import validate
from parsl.launchers.base import check_launcher, launch_text
from parsl.providers.base import ExecutionProvider
from parsl.providers.batch.job_files import JobFiles, open_script_dir, plain_job_name, reserve_job_files
from parsl.providers.batch.lost_jobs import LostJobs
from parsl.providers.batch.submission import read_submission
from parsl.providers.batch.survey import Findings, NoAnswer, Survey
from parsl.providers.batch.walltime import parse_walltime
from parsl.vocabulary.job_states import JobState, JobStatus
from parsl.vocabulary.provider_errors import SubmitException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from parsl.common.commands import CommandResult
    from parsl.launchers.base import Launcher
    from parsl.providers.batch.dialect import Dialect

logger = logging.getLogger(__name__)

#: A survey that has taken so many times ``cmd_timeout`` asks nothing more; what it has not come to has its
#: turn in the next one.
SURVEY_TIMEOUTS = 4
#: What a scheduler has only just been given it may not know yet, in seconds.
FRESH_S = 5.0
#: A scheduler has to deny a job for so long, in seconds, of which no end was seen either.
UNSEEN_END_S = 10.0
#: However many jobs a command of the scheduler can be about.
MAX_CANCELLED_AT_ONCE = 500

_STATUS_POLLING_INTERVAL_S = 30
_NO_SIGNS = (False, False)


class ClusterProvider(ExecutionProvider):
    """Runs each block as a job of a batch scheduler.

    A job is a bash script in ``script_dir``, made from the template beside the provider: directives,
    ``worker_init``, and then what the launcher makes of the command. What it writes is beside the script.

    A subclass says how its scheduler is spoken to (:attr:`dialect`) and what the script's directives are
    (:meth:`template_path`, :meth:`template_values`). The methods may be called from any thread, one at a
    time.

    Nothing that a scheduler does not say is taken for said: a command that fails, or answers nonsense, or
    does not mention a job, leaves the job UNKNOWN. It is MISSING when the scheduler, asked about it alone,
    has said that it does not know it.

    Args:
        label: A short name of the provider, for logs.
        nodes_per_block: Nodes of one block.
        init_blocks: Blocks to start with.
        min_blocks: Blocks that are kept even when there is nothing to do.
        max_blocks: Blocks that there may be at most.
        parallelism: Slots to have for each task, from 0 to 1.
        walltime: How long a block may run, as HH:MM:SS or in one of the scheduler's other forms.
        launcher: Starts the managers on the nodes.
        cmd_timeout: How long to wait for a command of the scheduler, in seconds.
    """

    #: What a number alone, and the first of a pair of numbers, counts in a walltime.
    walltime_bare_unit = "second"
    walltime_pair_unit = "minute"

    #: Gives the time, in seconds.
    _clock: Callable[[], float] = staticmethod(time.monotonic)

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
    ) -> None:
        super().__init__()
        self._label = label
        self.set_block_limits(
            nodes_per_block=nodes_per_block,
            init_blocks=init_blocks,
            min_blocks=min_blocks,
            max_blocks=max_blocks,
            parallelism=parallelism,
        )
        self.walltime = walltime
        _ = self.walltime_s  # a wrong one is an error now, not at the first submission
        self.launcher = check_launcher(self, "launcher", launcher)
        self.cmd_timeout = validate.number(self, "cmd_timeout", cmd_timeout, above=0)
        self.worker_init = ""
        self.scheduler_options = ""
        self._token = os.urandom(2).hex()
        self._numbers: Iterator[int] = count()
        self._files: dict[object, JobFiles] = {}
        self._signs: dict[object, tuple[bool, bool]] = {}
        self._submitted_s: dict[object, float] = {}
        self._gone_since_s: dict[object, float] = {}
        self._ended: dict[object, JobStatus] = {}
        self._survey: Survey | None = None
        self._lost = LostJobs()
        self._survey_ends_s = 0.0
        self._last_problem: str | None = None

    # What a subclass says

    @property
    def dialect(self) -> Dialect:
        """How the scheduler is spoken to."""
        raise NotImplementedError(f"{type(self).__name__} does not say how its scheduler is spoken to")

    def template_path(self) -> str:
        """Return the path of the job script's template."""
        raise NotImplementedError(f"{type(self).__name__} has no template for job scripts")

    def template_values(self, files: JobFiles, tasks_per_node: int) -> Mapping[str, str | None]:
        """Return what the template has places for, besides what all templates have.

        Args:
            files: The paths of the job's files.
            tasks_per_node: How many copies the launcher starts on each node.
        """
        return {}

    @property
    def status_batch_limit(self) -> int:
        """How many jobs to ask about with one command."""
        return self.dialect.batch_size

    @property
    def cancel_batch_limit(self) -> int:
        """How many jobs to cancel with one command."""
        return min(self.dialect.batch_size, MAX_CANCELLED_AT_ONCE)

    # What providers do

    @property
    def label(self) -> str:
        return self._label

    @property
    def status_polling_interval(self) -> int:
        return _STATUS_POLLING_INTERVAL_S

    @property
    def walltime_s(self) -> int:
        """How long a block may run, in seconds."""
        return parse_walltime(self, self.walltime, bare=self.walltime_bare_unit, pair=self.walltime_pair_unit)

    def submit(self, command: str, tasks_per_node: int, job_name: str = "parsl.auto") -> str:
        """Submit a job, and return as soon as the scheduler has taken it.

        Args:
            command: What to run on the nodes, as a command line for bash.
            tasks_per_node: How many copies of it to start on each node.
            job_name: The job is named for it.

        Returns:
            The job's id, as the scheduler prints it.

        Raises:
            ScriptPathError: The job script could not be written; or ``script_dir`` is not set.
            SubmitException: The scheduler did not take the job; ``is_permanent`` says whether it ever will.
        """
        directory = open_script_dir(self.script_dir)
        files = reserve_job_files(directory, f"{job_name}.{self._token}", self._numbers)
        texts = self._job_texts(files, command, tasks_per_node)
        for suffix, text in texts.items():
            files.write(suffix, text)
        suffix = self.dialect.submit_suffix
        if (problem := self._settle_lost_jobs()) is not None:
            raise SubmitException(files.name, f"an earlier submission was given up, and {problem}")
        job_id = self._submit(files, self.dialect.submit_stdin(texts[suffix]))
        self._files[job_id] = files
        self._submitted_s[job_id] = self._clock()
        self._ended.pop(job_id, None)  # schedulers begin again at 1 some day
        self._gone_since_s.pop(job_id, None)
        logger.info("Job %s is %s", job_id, files.script_path)
        return job_id

    def preview(self, command: str, tasks_per_node: int = 1, job_name: str = "parsl.auto") -> dict[str, str]:
        """Return what would be submitted, without writing anything.

        Args:
            command: What to run on the nodes.
            tasks_per_node: How many copies of it to start on each node.
            job_name: The job is named for it.

        Returns:
            The job's files, text by path; the last one is what the submit command is given.
        """
        directory = os.path.abspath(self.script_dir or "runinfo/000/submit_scripts")
        files = JobFiles(directory, f"{plain_job_name(job_name)}.0")
        texts = self._job_texts(files, command, tasks_per_node)
        return {files.stem + suffix: text for suffix, text in texts.items()}

    def status(self, job_ids: Sequence[object]) -> list[JobStatus]:
        """Say what jobs are doing; of jobs that are known to have ended, without asking again."""
        asked = [str(job_id) for job_id in dict.fromkeys(job_ids) if job_id not in self._ended]
        findings = self._find_out(asked) if asked else Findings()
        return [self._status(job_id, findings) for job_id in job_ids]

    def has_changed(self, job_ids: Sequence[object]) -> bool:
        """Say whether jobs have begun or ended since this was asked last, as their files show it."""
        found = {job_id: self._files[job_id].signs() for job_id in job_ids if job_id in self._files}
        news = {
            job_id: signs for job_id, signs in found.items() if signs != self._signs.get(job_id, _NO_SIGNS)
        }
        self._signs.update(news)
        return bool(news)

    def cancel(self, job_ids: Sequence[object]) -> list[bool]:
        """End jobs, whether they are queued or running. This only asks: they may take a while.

        Returns:
            For each id, whether the scheduler has accepted it, or the job has ended already.
        """
        accepted = {job_id: job_id in self._ended for job_id in job_ids}
        waiting = [job_id for job_id, has_ended in accepted.items() if not has_ended]
        limit = self.cancel_batch_limit
        for start in range(0, len(waiting), limit):
            batch = waiting[start : start + limit]
            answers = self._cancel([str(job_id) for job_id in batch])
            if answers is None:
                break  # the scheduler does not answer, and each further command would only take its time
            accepted.update(zip(batch, answers, strict=True))
        return [accepted[job_id] for job_id in job_ids]

    def cancel_commands(self, job_ids: Sequence[object]) -> list[list[str]]:
        """Return commands that cancel jobs, for another process to run should this one be killed."""
        ids, limit = list(map(str, job_ids)), self.cancel_batch_limit
        return [
            self.dialect.cancel_command(ids[start : start + limit]) for start in range(0, len(ids), limit)
        ]

    def execute_wait(self, cmd: str, timeout: float | None = None) -> tuple[int, str, str]:
        """Run a command line; for providers that somebody else has written.

        Args:
            cmd: A command line for bash.
            timeout: How long it may take, in seconds; None: ``cmd_timeout``.

        Returns:
            Exit code, standard output, standard error.
        """
        from parsl.common.commands import run_command

        result = run_command(["/bin/bash", "-c", cmd], self.cmd_timeout if timeout is None else timeout)
        return result.exit_code, result.stdout, result.stderr

    # How they do it

    def _job_texts(self, files: JobFiles, command: str, tasks_per_node: int) -> dict[str, str]:
        """Return the text of each file of a job, by its suffix."""
        return {".sh": self._script_text(files, command, tasks_per_node)}

    def _script_text(self, files: JobFiles, command: str, tasks_per_node: int) -> str:
        from shlex import quote

        from parsl.providers.batch.template import double_quoted, fill_template

        launch = launch_text(self.launcher, command, tasks_per_node, self.nodes_per_block, files.directory)
        values = {
            "name": files.name,
            "job_name": quote(files.name),
            "scheduler_output": double_quoted(files.scheduler_output_path),
            "stdout": quote(files.stdout_path),
            "stderr": quote(files.stderr_path),
            "exit": quote(files.exit_path),
            "walltime_s": str(self.walltime_s),
            "scheduler_options": _flush_left(self.scheduler_options),
            "worker_init": self.worker_init,
            "launch": launch,
        }
        return fill_template(self.template_path(), {**values, **self.template_values(files, tasks_per_node)})

    def _submit(self, files: JobFiles, stdin_text: str | None) -> str:
        from parsl.common.commands import CommandNotStarted

        command = self.dialect.submit_command(files.stem + self.dialect.submit_suffix)
        try:
            result = self._run(command, stdin_text)
        except CommandNotStarted as error:
            message = f"{type(self).__name__} submits with {command[0]}. {error}"
            raise SubmitException(files.name, message, command=command, is_permanent=True) from error
        try:
            return read_submission(self.dialect, files.name, result)
        except SubmitException:
            if result.timed_out or result.exit_code == 0:
                self._lost.add(files.name)
            if not result.timed_out:  # a frozen scheduler would not answer this either
                self._settle_lost_jobs()
            raise

    def _settle_lost_jobs(self) -> str | None:
        """Find out what became of submissions that were given up; say why not if it cannot be known."""
        from parsl.common.commands import CommandNotStarted

        try:
            return self._lost.settle(self.dialect, self._run, self.cancel)
        except CommandNotStarted as error:
            return str(error)

    def _run(self, command: list[str], stdin_text: str | None = None) -> CommandResult:
        from parsl.common.commands import run_command

        result = run_command(command, self.cmd_timeout, stdin_text=stdin_text)
        logger.debug("%s ended with %d", command[:8], result.exit_code)
        return result

    def _find_out(self, job_ids: list[str]) -> Findings:
        if self._survey is None:
            self._survey = Survey(self.dialect, self._ask)
        self._survey_ends_s = self._clock() + SURVEY_TIMEOUTS * self.cmd_timeout
        findings = self._survey.ask(job_ids, self.status_batch_limit)
        if findings.problem and findings.problem != self._last_problem:
            logger.warning("%s: not all is known about jobs: %s", type(self).__name__, findings.problem)
        self._last_problem = findings.problem
        return findings

    def _ask(self, command: list[str]) -> CommandResult:
        from parsl.common.commands import CommandNotStarted

        if self._clock() > self._survey_ends_s:
            raise NoAnswer(f"{command[0]} is slow: the rest has to wait")
        try:
            return self._run(command)
        except CommandNotStarted as error:
            raise NoAnswer(f"{type(self).__name__} asks with {command[0]}. {error}") from error

    def _status(self, job_id: object, findings: Findings) -> JobStatus:
        if (known := self._ended.get(job_id)) is not None:
            return known
        short_id = self.dialect.short_id(str(job_id))
        record = findings.records.get(short_id)
        if record is not None:
            self._gone_since_s.pop(job_id, None)
            status = self._with_paths(job_id, record.state, record.message, record.exit_code)
            status.can_never_run = record.can_never_run
        elif short_id in findings.gone and self._is_gone_for_good(job_id):
            message = f"the scheduler does not know the job {job_id} any more"
            status = self._with_paths(job_id, JobState.MISSING, message)
        else:
            status = JobStatus(JobState.UNKNOWN, message=findings.problem)
        if status.terminal:
            self._ended[job_id] = status
        return status

    def _is_gone_for_good(self, job_id: object) -> bool:
        now_s = self._clock()
        if now_s - self._submitted_s.get(job_id, float("-inf")) < FRESH_S:
            return False
        gone_for_s = now_s - self._gone_since_s.setdefault(job_id, now_s)
        files = self._files.get(job_id)
        has_seen_end = files is None or files.signs()[1]
        return gone_for_s >= max(self.dialect.forgetful_s, 0.0 if has_seen_end else UNSEEN_END_S)

    def _with_paths(
        self, job_id: object, state: JobState, message: str | None, exit_code: int | None = None
    ) -> JobStatus:
        files = self._files.get(job_id)
        if files is None:
            return JobStatus(state, message=message, exit_code=exit_code)
        stderr_path = files.stderr_path
        if not _has_text(stderr_path) and _has_text(files.scheduler_output_path):
            stderr_path = files.scheduler_output_path
        return JobStatus(state, message, exit_code, files.stdout_path, stderr_path)

    def _cancel(self, job_ids: list[str]) -> list[bool] | None:
        from parsl.common.commands import CommandNotStarted

        try:
            result = self._run(self.dialect.cancel_command(job_ids))
        except CommandNotStarted as error:
            logger.error("%s cannot cancel its jobs. %s", type(self).__name__, error)
            return None
        answers = self.dialect.read_cancellation(job_ids, result)
        if not all(answers):
            from parsl.providers.batch.answers import complaint

            logger.warning("%s: not all jobs were cancelled: %s", type(self).__name__, complaint(result))
        return None if result.timed_out else answers


def _flush_left(options: str) -> str:
    """Take away what stands before a directive: some schedulers see it at the beginning of a line only."""
    lines = options.splitlines()
    return "\n".join(line.lstrip() if line.lstrip().startswith("#") else line for line in lines)


def _has_text(path: str) -> bool:
    try:
        return os.stat(path).st_size > 0
    except OSError:
        return False
