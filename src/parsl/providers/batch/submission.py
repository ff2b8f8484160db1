"""Handing a job to a scheduler, and saying why it did not take it."""

from __future__ import annotations

from parsl.vocabulary.provider_errors import SubmitException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.common.commands import CommandResult
    from parsl.providers.batch.dialect import Dialect


def read_submission(dialect: Dialect, job_name: str, result: CommandResult) -> str:
    """Return the id of the job that was submitted.

    Args:
        dialect: How the scheduler speaks.
        job_name: The job, for the message of an error.
        result: What came of the submit command.

    Raises:
        SubmitException: There is no such job. It says whether to try again.
    """
    if result.exit_code == 0 and (job_id := dialect.read_job_id(result.stdout)) is not None:
        return job_id
    program = result.command[0]
    is_permanent = dialect.refusals.is_permanent(result)
    if result.timed_out:
        message = f"{program} did not answer in time. Is the scheduler up? A larger cmd_timeout may help."
    elif result.exit_code == 0:
        # Whatever it has made, the next time it would say the same; but nothing at all may be an accident.
        is_permanent = bool(result.stdout.strip())
        message = f"{program} has not said which job it has made"
    elif is_permanent:
        message = f"{program} refuses it, and would do so again"
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
