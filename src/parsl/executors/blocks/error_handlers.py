"""When to stop trying: what failed blocks mean for their executor.

A block error handler is called with the executor and the status of every block it ever had, oldest
first, each time these may have changed. One that has seen enough calls
``executor.set_bad_state_and_fail_all(error)``. Users find these as ``parsl.jobs.error_handlers``.
"""

from __future__ import annotations

import os

from parsl.vocabulary.job_errors import TooManyJobFailuresError
from parsl.vocabulary.job_states import TERMINAL_STATES, JobState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from parsl.executors.status_handling import BlockProviderExecutor
    from parsl.vocabulary.job_states import JobStatus

#: States that count as a failure. A walltime that was used up does not, nor a job somebody cancelled.
_FAILURES = frozenset({JobState.FAILED, JobState.MISSING})

#: Ends that may come too early, where so many in a row did.
_EARLY_ENDS = TERMINAL_STATES - {JobState.SCALED_IN, JobState.COMPLETED}

#: When so many blocks in a row have ended without having worked, though others once did, it is no accident.
MAX_FAILURES_IN_ROW = 8

#: The same where all there ever were have failed, but managers had connected: a node may have been lost.
MAX_SHORT_LIVED_IN_ROW = 3

#: So many failed blocks are described in full in the error, the newest ones.
_DESCRIBED = 10


def noop_error_handler(
    executor: BlockProviderExecutor, status: dict[str, JobStatus], threshold: int = 3
) -> None:
    """Never stop trying."""


def simple_error_handler(
    executor: BlockProviderExecutor, status: dict[str, JobStatus], threshold: int = 3
) -> None:
    """Stop when no block has ever worked, or none does any more.

    That is when all there were have failed. If a manager has ever connected, or the scheduler has lost the
    jobs without a trace of their having run, it takes a few in a row that did not work for long; and
    :data:`MAX_FAILURES_IN_ROW` with no manager connected if others did not fail: such
    as when the environment that ``worker_init`` names has been removed.

    Args:
        executor: The executor whose blocks these are.
        status: Every block it ever had, oldest first.
        threshold: How many have to have failed, for an executor without a provider; with one it is the
            provider's ``init_blocks``, and at least 1.
    """
    if executor.provider is not None:
        threshold = max(1, executor.provider.init_blocks)
    failed = _failed(status)
    ended = executor.ended_blocks()
    in_row = ended.failures_in_row
    is_certain = not ended.have_connected and not all(_has_vanished(job) for job in failed.values())
    if len(failed) == len(status) >= threshold and (is_certain or in_row >= MAX_SHORT_LIVED_IN_ROW):
        _stop(executor, failed)
        return
    if in_row >= MAX_FAILURES_IN_ROW and not any(block.managers for block in executor.block_views()):
        early = [item for item in status.items() if item[1].state in _EARLY_ENDS]
        _stop(executor, dict(early[-in_row:]))


def windowed_error_handler(
    executor: BlockProviderExecutor, status: dict[str, JobStatus], threshold: int = 3
) -> None:
    """Stop when the newest blocks have all failed.

    Args:
        executor: The executor whose blocks these are.
        status: Every block it ever had, oldest first.
        threshold: How many of the newest blocks have to have failed.
    """
    newest = dict(list(status.items())[-threshold:])
    failed = _failed(newest)
    if len(failed) >= threshold:
        _stop(executor, failed)


def _failed(status: Mapping[str, JobStatus]) -> dict[str, JobStatus]:
    return {block_id: job for block_id, job in status.items() if job.state in _FAILURES}


def _has_vanished(job: JobStatus) -> bool:
    """Whether nothing is known of a job's end, and it has left no output: perhaps it has never run."""
    if job.state is not JobState.MISSING or job.exit_code is not None or job.stdout_path is None:
        return False
    return not os.path.exists(job.stdout_path)


def _stop(executor: BlockProviderExecutor, failed: Mapping[str, JobStatus]) -> None:
    job_ids = executor.blocks_to_job_id
    executor.set_bad_state_and_fail_all(TooManyJobFailuresError(describe_failures(failed, job_ids)))


def describe_failures(failed: Mapping[str, JobStatus], job_ids: Mapping[str, object]) -> str:
    """Say how blocks failed, so that the reader need not look for a log file.

    Args:
        failed: The blocks' statuses, oldest first.
        job_ids: The job of each block that has one.

    Returns:
        A text of several lines: per block its job, state, exit code, message and the ends of its output.
    """
    newest = list(failed.items())[-_DESCRIBED:]
    left_out = len(failed) - len(newest)
    lines = [f"{len(failed)} block{'s' if len(failed) != 1 else ''} failed, so no more are started."]
    if left_out:
        lines.append(f"The last {len(newest)} of them:")
    for block_id, job in newest:
        lines.extend(_describe(block_id, job, job_ids.get(block_id)))
    return "\n".join(lines)


def _describe(block_id: str, job: JobStatus, job_id: object) -> Iterable[str]:
    yield f"Block {block_id} ({'never submitted' if job_id is None else f'job {job_id}'}): {job.status_name}"
    if job.message is not None:
        yield from _indented("", job.message)
    if job.exit_code is not None:
        yield f"\tEXIT CODE: {job.exit_code}"
    if job.stdout_summary:
        yield from _indented("STDOUT: ", job.stdout_summary)
    if job.stderr_summary:
        yield from _indented("STDERR: ", job.stderr_summary)


def _indented(title: str, text: str) -> Iterable[str]:
    first, *rest = text.rstrip().splitlines() or [""]
    yield f"\t{title}{first}"
    for line in rest:
        yield f"\t{line}"
