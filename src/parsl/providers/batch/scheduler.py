"""Running a scheduler's commands to submit, query and cancel jobs."""

from __future__ import annotations

import logging
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Sequence

from parsl.common.commands import CommandNotStarted, CommandResult, run_command
from parsl.providers.batch.answers import complaint
from parsl.providers.batch.dialect import Dialect
from parsl.vocabulary.provider_errors import SubmitException

logger = logging.getLogger(__name__)

#: Runs a status command, or raises NoAnswer.
StatusRunner = Callable[[list[str]], CommandResult]
#: After how many unusable answers from a scheduler that does answer a submission is forgotten, so that
#: further submissions are possible.
MAX_USELESS_ANSWERS = 3


class NoAnswer(Exception):
    """The scheduler does not answer, or no time is left for further queries."""


class CommandRunner:
    """Runs programs and reads the clock. Tests replace it to simulate a scheduler."""

    def now_s(self) -> float:
        return time.monotonic()

    def run(self, command: list[str], timeout_s: float, stdin_text: str | None = None) -> CommandResult:
        """Run a program, or raise CommandNotStarted."""
        result = run_command(command, timeout_s, stdin_text=stdin_text)
        logger.debug("%s ended with exit code %d", command[:8], result.exit_code)
        return result

    def submit(
        self, command: list[str], timeout_s: float, path: str, stdin_text: str | None
    ) -> CommandResult:
        """Run a submit command. The text is that of the file at ``path``, if the command reads its input."""
        return self.run(command, timeout_s, stdin_text)


class CommandLineFailed(CommandNotStarted):
    """An ``execute_wait`` of a user's provider has raised an exception, or returned something else."""

    def __str__(self) -> str:
        return self.reason


class CommandLineRunner(CommandRunner):
    """Runs command lines with the ``execute_wait`` of a user's provider: over ssh, with sudo, in a container.

    Args:
        owner: The provider's class, for messages.
        execute_wait: Runs a command line and returns its exit code, stdout and stderr.
        clock: The runner of the provider, whose clock continues to be used.
    """

    def __init__(
        self, owner: str, execute_wait: Callable[[str], tuple[int, str, str]], clock: CommandRunner
    ) -> None:
        self._name = f"{owner}.execute_wait"
        self._execute_wait = execute_wait
        self._clock = clock

    def now_s(self) -> float:
        return self._clock.now_s()

    def run(self, command: list[str], timeout_s: float, stdin_text: str | None = None) -> CommandResult:
        """Run a program as a command line; its time is limited by ``execute_wait``."""
        return self._run_line(command, shlex.join(command))

    def submit(
        self, command: list[str], timeout_s: float, path: str, stdin_text: str | None
    ) -> CommandResult:
        line = shlex.join(command)
        return self._run_line(command, line if stdin_text is None else f"{line} < {shlex.quote(path)}")

    def _run_line(self, command: list[str], line: str) -> CommandResult:
        words = tuple(command)
        try:
            answer = self._execute_wait(line)
        except subprocess.TimeoutExpired:
            return CommandResult(words, -9, "", "", timed_out=True)
        except Exception as error:
            raise CommandLineFailed(words, f"{self._name}({line!r}) has raised {error!r}") from error
        try:
            exit_code, stdout, stderr = answer
            return CommandResult(words, int(exit_code), _text(stdout), _text(stderr), timed_out=False)
        except (TypeError, ValueError) as error:
            expected = "It has to return the exit code, the standard output and the standard error"
            raise CommandLineFailed(
                words, f"{self._name}({line!r}) returned {answer!r}. {expected}"
            ) from error


def _text(output: object) -> str:
    if isinstance(output, bytes):
        return output.decode(errors="replace")
    if output is None:
        return ""
    if not isinstance(output, str):
        raise TypeError("output has to be text")
    return output


class Scheduler:
    """A scheduler as a provider uses it: its dialect, and how long its commands may take."""

    def __init__(
        self, owner: str, dialect: Dialect, runner: CommandRunner, timeout_s: float, cancel_batch_size: int
    ) -> None:
        self._owner = owner  #: the provider's class, for messages
        self.dialect = dialect
        self.runner = runner
        self._timeout_s = timeout_s
        self._cancel_batch_size = cancel_batch_size

    def run(self, command: list[str]) -> CommandResult:
        return self.runner.run(command, self._timeout_s)

    def submit(self, job_name: str, path: str, text: str) -> CommandResult:
        """Submit the file at ``path``, which contains ``text``; :func:`read_submission` reads the result."""
        command = self.dialect.submit_command(path)
        try:
            return self.runner.submit(command, self._timeout_s, path, self.dialect.submit_stdin(text))
        except CommandNotStarted as error:
            message = f"{self._owner} submits with {command[0]}. {error}"
            is_permanent = not isinstance(error, CommandLineFailed)
            raise SubmitException(job_name, message, command=command, is_permanent=is_permanent) from error

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
        try:
            result = self.run(self.dialect.cancel_command(job_ids))
        except CommandNotStarted as error:
            logger.error("%s cannot cancel its jobs. %s", self._owner, error)
            return None
        answers = self.dialect.read_cancellation(job_ids, result)
        if not all(answers):
            logger.warning("%s: not all jobs were cancelled: %s", self._owner, complaint(result))
        return None if result.timed_out else answers

    def status_runner(self, max_timeouts: int) -> StatusRunner:
        """Return a function that runs status commands, which may take ``max_timeouts`` timeouts together.

        The function raises NoAnswer after that time, or if a command cannot be run.
        """
        ends_s = self.runner.now_s() + max_timeouts * self._timeout_s

        def run(command: list[str]) -> CommandResult:
            if self.runner.now_s() > ends_s:
                raise NoAnswer(f"{command[0]} is slow: the remaining jobs are queried the next time")
            try:
                return self.run(command)
            except CommandNotStarted as error:
                raise NoAnswer(f"{self._owner} queries jobs with {command[0]}. {error}") from error

        return run


class LostSubmissions:
    """Remembers submissions of unknown result, and cancels the jobs that they have made.

    A submit command that is killed because it takes too long may already have submitted its job. If the
    provider submitted again, one job too many would run. So the provider first finds such jobs by their
    names, which are unique, and cancels them.
    """

    def __init__(self) -> None:
        #: The number of useless answers by job name.
        self._names: dict[str, int] = {}

    def add(self, name: str) -> None:
        self._names[name] = 0

    def resolve(self, scheduler: Scheduler) -> str | None:
        """Find and cancel the jobs; return why a submission is still unresolved, or None."""
        for name in list(self._names):
            try:
                problem = self._resolve(scheduler, name)
            except CommandNotStarted as error:
                return str(error)
            if problem is not None:
                return problem
            del self._names[name]
        return None

    def _resolve(self, scheduler: Scheduler, name: str) -> str | None:
        command = scheduler.dialect.find_command(name)
        result = scheduler.run(command)
        job_ids = scheduler.dialect.read_found(name, result)
        if job_ids is None and not self._is_useless(scheduler.dialect.unreachable, name, result):
            return f"{command[0]} does not show whether there is a job {name}"
        if job_ids and not all(scheduler.cancel(job_ids)):
            return f"the job {name} could not be cancelled"
        logger.warning("The result of submitting %s was lost; the jobs it had made: %s", name, job_ids)
        return None

    def _is_useless(self, unreachable: str, name: str, result: CommandResult) -> bool:
        if not result.timed_out and not re.search(unreachable, result.stderr, re.IGNORECASE):
            self._names[name] += 1
        return self._names[name] >= MAX_USELESS_ANSWERS


def read_submission(dialect: Dialect, job_name: str, result: CommandResult) -> str:
    """Return the id of a submitted job, or raise SubmitException for the result of the submit command."""
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
