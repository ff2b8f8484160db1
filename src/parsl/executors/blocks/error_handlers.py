"""When to give up: what failed blocks mean for their executor.

A block error handler is called with the executor and the status of every block it ever had, oldest first,
each time these may have changed. To give up, it calls ``executor.set_bad_state_and_fail_all(error)``. Users
import the handlers from ``parsl.jobs.error_handlers``.
"""

from __future__ import annotations

import os

from parsl.vocabulary.job_states import TERMINAL_STATES, JobState, JobStatus
from parsl.vocabulary.provider_errors import TooManyJobFailuresError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Protocol

    from parsl.executors.blocks.block_set import BlockSet
    from parsl.providers.base import ExecutionProvider

    class BlockExecutor(Protocol):
        """The parts of a BlockProviderExecutor that the handlers here use."""

        @property
        def blocks(self) -> BlockSet: ...

        @property
        def provider(self) -> ExecutionProvider | None: ...

        def set_bad_state_and_fail_all(self, exception: BaseException) -> None: ...


#: States that count as a failure. Reaching the walltime does not, nor does a cancelled job.
_FAILURES = frozenset({JobState.FAILED, JobState.MISSING})

#: Ends that are too early if too many blocks in a row have them.
_EARLY_ENDS = TERMINAL_STATES - {JobState.SCALED_IN, JobState.COMPLETED}

#: When this many blocks in a row have ended without having worked, although others did, something has broken.
MAX_FAILURES_IN_ROW = 8

#: The same if all blocks so far have failed, but managers had connected: a node may have been lost.
MAX_SHORT_LIVED_IN_ROW = 3

#: The error describes at most this many failed blocks in full, the newest ones.
_DESCRIBED = 10


def noop_error_handler(executor: BlockExecutor, status: dict[str, JobStatus], threshold: int = 3) -> None:
    """Never give up."""


def simple_error_handler(executor: BlockExecutor, status: dict[str, JobStatus], threshold: int = 3) -> None:
    """Give up when no block has ever worked, or none works any more.

    That is when all blocks have failed. If a manager has ever connected, or the scheduler has lost the jobs
    without a trace of their having run, a few of them in a row must have failed early. If other blocks did
    not fail, it takes :data:`MAX_FAILURES_IN_ROW`, and no connected manager: such as when the environment
    that ``worker_init`` names has been removed.

    Args:
        executor: The executor whose blocks these are.
        status: Every block it ever had, oldest first.
        threshold: How many blocks must have failed, for an executor without a provider; with one it is the
            provider's ``init_blocks``, and at least 1.
    """
    if executor.provider is not None:
        threshold = max(1, executor.provider.init_blocks)
    failed = _failed(status)
    history = executor.blocks.history()
    in_row = history.failures_in_row
    is_certain = not history.have_connected and not all(_has_vanished(job) for job in failed.values())
    if len(failed) == len(status) >= threshold and (is_certain or in_row >= MAX_SHORT_LIVED_IN_ROW):
        _give_up(executor, failed)
        return
    if in_row >= MAX_FAILURES_IN_ROW and not any(block.managers for block in executor.blocks.views()):
        early = [item for item in status.items() if item[1].state in _EARLY_ENDS]
        _give_up(executor, dict(early[-in_row:]))


def windowed_error_handler(executor: BlockExecutor, status: dict[str, JobStatus], threshold: int = 3) -> None:
    """Give up when the newest blocks have all failed.

    Args:
        executor: The executor whose blocks these are.
        status: Every block it ever had, oldest first.
        threshold: How many of the newest blocks must have failed.
    """
    newest = dict(list(status.items())[-threshold:])
    failed = _failed(newest)
    if len(failed) >= threshold:
        _give_up(executor, failed)


def _failed(status: Mapping[str, JobStatus]) -> dict[str, JobStatus]:
    return {block_id: job for block_id, job in status.items() if job.state in _FAILURES}


def _has_vanished(job: JobStatus) -> bool:
    """Return whether nothing is known of a job's end and it has left no output: it may never have run."""
    if job.state is not JobState.MISSING or job.exit_code is not None or job.stdout_path is None:
        return False
    return not os.path.exists(job.stdout_path)


def _give_up(executor: BlockExecutor, failed: Mapping[str, JobStatus]) -> None:
    text = describe_failures(failed, executor.blocks.job_ids())
    executor.set_bad_state_and_fail_all(TooManyJobFailuresError(text))


def describe_failures(failed: Mapping[str, JobStatus], job_ids: Mapping[str, object]) -> str:
    """Describe how blocks failed, with the ends of their output, so that readers need no log file."""
    newest = list(failed.items())[-_DESCRIBED:]
    lines = [f"{len(failed)} block{'s' if len(failed) != 1 else ''} failed, so no more are started."]
    if len(newest) < len(failed):
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
