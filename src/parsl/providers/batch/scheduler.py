"""Running a scheduler's commands to submit, query and cancel jobs."""

from __future__ import annotations

import logging
import time

from parsl.providers.batch.answers import complaint
from parsl.vocabulary.provider_errors import SubmitException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from parsl.common.commands import CommandResult
    from parsl.providers.batch.dialect import Dialect

logger = logging.getLogger(__name__)

_LOGGED_WORDS = 8


class NoAnswer(Exception):
    """The scheduler does not answer, or no time is left for further queries."""


class CommandRunner:
    """Runs programs and reads the clock. Tests replace it to simulate a scheduler."""

    def now_s(self) -> float:
        """Return a monotonic time, in seconds."""
        return time.monotonic()

    def run(self, command: list[str], timeout_s: float, stdin_text: str | None = None) -> CommandResult:
        """Run a program.

        Raises:
            CommandNotStarted: The program does not exist or cannot be started.
        """
        from parsl.common.commands import run_command

        result = run_command(command, timeout_s, stdin_text=stdin_text)
        logger.debug("%s ended with exit code %d", command[:_LOGGED_WORDS], result.exit_code)
        return result


class Scheduler:
    """A scheduler as a provider uses it: its dialect, and how long its commands may take.

    Args:
        provider_name: The class of the provider, for messages.
        dialect: The scheduler's commands.
        runner: Runs the commands.
        timeout_s: How long a command may take, in seconds.
        cancel_batch_size: How many jobs to cancel with one command.
    """

    def __init__(
        self,
        provider_name: str,
        dialect: Dialect,
        runner: CommandRunner,
        timeout_s: float,
        cancel_batch_size: int,
    ) -> None:
        self.provider_name = provider_name
        self.dialect = dialect
        self.runner = runner
        self._timeout_s = timeout_s
        self._cancel_batch_size = cancel_batch_size

    def __repr__(self) -> str:
        return f"<Scheduler {type(self.dialect).__name__} of {self.provider_name}>"

    def run(self, command: list[str], stdin_text: str | None = None) -> CommandResult:
        """Run one of the scheduler's commands."""
        return self.runner.run(command, self._timeout_s, stdin_text)

    def submit(self, job_name: str, path: str, text: str) -> CommandResult:
        """Run the submit command; :func:`read_submission` reads its result.

        Args:
            job_name: The job's name, for errors.
            path: The file to submit.
            text: The text of the file.

        Raises:
            SubmitException: The command cannot be run.
        """
        from parsl.common.commands import CommandNotStarted

        command = self.dialect.submit_command(path)
        try:
            return self.run(command, self.dialect.submit_stdin(text))
        except CommandNotStarted as error:
            message = f"{self.provider_name} submits with {command[0]}. {error}"
            raise SubmitException(job_name, message, command=command, is_permanent=True) from error

    def cancel(self, job_ids: Sequence[str]) -> list[bool]:
        """Cancel jobs; return for each job whether the scheduler has accepted the request."""
        accepted: list[bool] = []
        for start in range(0, len(job_ids), self._cancel_batch_size):
            answers = self._cancel(job_ids[start : start + self._cancel_batch_size])
            if answers is None:
                break  # the scheduler does not answer, so each further command would only take time
            accepted += answers
        return accepted + [False] * (len(job_ids) - len(accepted))

    def _cancel(self, job_ids: Sequence[str]) -> list[bool] | None:
        from parsl.common.commands import CommandNotStarted

        try:
            result = self.run(self.dialect.cancel_command(job_ids))
        except CommandNotStarted as error:
            logger.error("%s cannot cancel its jobs. %s", self.provider_name, error)
            return None
        answers = self.dialect.read_cancellation(job_ids, result)
        if not all(answers):
            logger.warning("%s: not all jobs were cancelled: %s", self.provider_name, complaint(result))
        return None if result.timed_out else answers

    def status_commands(self, max_timeouts: int) -> StatusCommands:
        """Return a runner of status commands that may take ``max_timeouts`` times the timeout together."""
        return StatusCommands(self, self.runner.now_s() + max_timeouts * self._timeout_s)


class StatusCommands:
    """Runs status commands until a deadline."""

    def __init__(self, scheduler: Scheduler, ends_s: float) -> None:
        self._scheduler = scheduler
        self._ends_s = ends_s

    def __repr__(self) -> str:
        return f"<StatusCommands of {self._scheduler!r}>"

    def run(self, command: list[str]) -> CommandResult:
        """Run a command.

        Raises:
            NoAnswer: The deadline has passed, or the command cannot be run.
        """
        from parsl.common.commands import CommandNotStarted

        if self._scheduler.runner.now_s() > self._ends_s:
            raise NoAnswer(f"{command[0]} is slow: the remaining jobs are queried the next time")
        try:
            return self._scheduler.run(command)
        except CommandNotStarted as error:
            raise NoAnswer(
                f"{self._scheduler.provider_name} queries jobs with {command[0]}. {error}"
            ) from error


def read_submission(dialect: Dialect, job_name: str, result: CommandResult) -> str:
    """Return the id of a submitted job.

    Args:
        dialect: The scheduler's commands.
        job_name: The job's name, for errors.
        result: The result of the submit command.

    Raises:
        SubmitException: The command has not submitted a job, or has not printed the job's id.
    """
    if result.exit_code == 0 and (job_id := dialect.read_job_id(result.stdout)) is not None:
        return job_id
    program = result.command[0]
    is_permanent = dialect.is_permanent_refusal(result)
    if result.timed_out:
        message = f"{program} did not answer in time. Is the scheduler running? Try a larger cmd_timeout."
    elif result.exit_code == 0:
        # A command that prints something else will do so again; no output at all may be an accident.
        is_permanent = bool(result.stdout.strip())
        message = f"{program} did not print the id of the job"
    elif is_permanent:
        message = f"{program} refuses the job, and would refuse it again"
    else:
        message = f"{program} failed"
    raise SubmitException(
        job_name,
        message,
        result.stdout,
        result.stderr,
        None if result.timed_out else result.exit_code,
        command=result.command,
        is_permanent=is_permanent,
    )
