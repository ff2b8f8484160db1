"""Calls to a provider that may go wrong, and what is made of that."""

from __future__ import annotations

import logging
import threading

from parsl.vocabulary.job_states import JobState, JobStatus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from parsl.providers.base import ExecutionProvider

logger = logging.getLogger(__name__)


class ProviderCalls:
    """Calls a provider for an executor: from any thread, one call at a time.

    A scheduler that cannot be asked knows nothing: jobs are then UNKNOWN, which is never terminal. Each
    kind of failure is logged once, and again only after a call has succeeded.
    """

    def __init__(self, provider: ExecutionProvider) -> None:
        self._provider = provider
        self._one_at_a_time = threading.RLock()  # a signal handler may clean up in the middle of a call
        self._logged: set[tuple[str, str]] = set()

    def __repr__(self) -> str:
        return f"<ProviderCalls {type(self._provider).__name__}, {len(self._logged)} kinds of failures>"

    def submit(self, command: str, job_name: str) -> object:
        """Submit a block: one copy of ``command`` per node.

        Returns:
            The scheduler's id of the job.

        Raises:
            Exception: Whatever the provider raises.
            RuntimeError: The provider gave no job id.
        """
        with self._one_at_a_time:
            job_id = self._provider.submit(command, 1, job_name)
        if job_id is None:
            raise RuntimeError(f"{type(self._provider).__name__}.submit returned no job id")
        return job_id

    def status(self, job_ids: Sequence[object]) -> Sequence[JobStatus]:
        """Ask about jobs, all in one call.

        Returns:
            One status per job id, in their order.
        """
        try:
            with self._one_at_a_time:
                statuses = list(self._provider.status(job_ids))
            if len(statuses) != len(job_ids):
                raise RuntimeError(f"asked for {len(job_ids)} jobs, got {len(statuses)} statuses")
        except Exception as error:
            self._log_once("status", error)
            return [JobStatus(JobState.UNKNOWN) for _ in job_ids]
        self._succeeded("status")
        return statuses

    def cancel(self, job_ids: Sequence[object]) -> Sequence[bool]:
        """Cancel jobs, all in one call.

        Returns:
            Whether the scheduler accepted it, per job id, in their order.
        """
        try:
            with self._one_at_a_time:
                answers = [bool(answer) for answer in self._provider.cancel(job_ids)]
            if len(answers) != len(job_ids):
                raise RuntimeError(f"asked for {len(job_ids)} jobs, got {len(answers)} answers")
        except Exception as error:
            self._log_once("cancel", error)
            return [False for _ in job_ids]
        self._succeeded("cancel")
        return answers

    def _log_once(self, call: str, error: Exception) -> None:
        kind = (call, type(error).__name__)
        if kind not in self._logged:
            self._logged.add(kind)
            name = type(self._provider).__name__
            logger.error("%s.%s failed; it is tried again", name, call, exc_info=error)

    def _succeeded(self, call: str) -> None:
        self._logged = {kind for kind in self._logged if kind[0] != call}
