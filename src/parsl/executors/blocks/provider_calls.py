"""Calls to a provider, with failures turned into answers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn, TypeVar

from parsl.providers.base import ExecutionProvider
from parsl.vocabulary.job_states import JobState, JobStatus

logger = logging.getLogger(__name__)

AnswerT = TypeVar("AnswerT")


class NoProvider(ExecutionProvider):
    """Stands in for the provider of an executor that has none, and whose workers come from elsewhere."""

    label = "none"
    submits_at_once = True
    status_polling_interval = 0
    nodes_per_block = init_blocks = min_blocks = max_blocks = 0
    parallelism = 0.0

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError("an executor without a provider has no blocks")

    submit = status = cancel = _refuse


class ProviderCalls:
    """Calls a provider for an executor: from any thread, one call at a time.

    When a scheduler cannot be queried, its jobs are UNKNOWN, which is never terminal. Each kind of failure
    is logged once, and again only after a call has succeeded.
    """

    def __init__(self, provider: ExecutionProvider) -> None:
        self._provider = provider
        self._name = type(provider).__name__
        self._one_at_a_time = threading.RLock()  # a signal handler may clean up in the middle of a call
        self._logged: set[tuple[str, str]] = set()
        self._is_submitting = False
        self._is_close_due = False

    def __repr__(self) -> str:
        return f"<ProviderCalls {self._name}, {len(self._logged)} kinds of failures>"

    def close(self) -> None:
        """Let the provider give back what blocks have left behind; a failure is logged.

        If a submission is in progress, which may take long, this happens after it, in its thread.
        """
        self._is_close_due = True
        while not self._one_at_a_time.acquire(timeout=0.1):
            if self._is_submitting:
                return
        try:
            self._close_if_due()
        finally:
            self._one_at_a_time.release()

    def _close_if_due(self) -> None:
        if not self._is_close_due:
            return
        self._is_close_due = False
        try:
            self._provider.close()
        except Exception:
            logger.exception("%s.close failed: look whether something is left, and remove it", self._name)

    def submit(self, command: str, job_name: str) -> object:
        """Submit a block, one copy of ``command`` per node; return the id of the job."""
        with self._one_at_a_time:
            self._is_submitting = True
            try:
                job_id = self._provider.submit(command, 1, job_name)
            finally:
                self._is_submitting = False
                self._close_if_due()
        if job_id is None:
            raise RuntimeError(f"{self._name}.submit returned no job id")
        return job_id

    def status(self, job_ids: Sequence[object]) -> Sequence[JobStatus]:
        """Query jobs, all in one call; returns one status per job id, in their order."""
        unknown = JobStatus(JobState.UNKNOWN)
        return self._call("status", self._provider.status, job_ids, unknown)

    def cancel(self, job_ids: Sequence[object]) -> Sequence[bool]:
        """Cancel jobs, all in one call; returns whether the scheduler accepted, per job id in their order."""
        return [bool(answer) for answer in self._call("cancel", self._provider.cancel, job_ids, False)]

    def have_changed(self, job_ids: Sequence[object]) -> bool:
        """Return whether the provider has seen, without querying the scheduler, that jobs began or ended."""
        try:
            return self._provider.has_changed(job_ids)
        except Exception:
            logger.exception("%s.has_changed failed", self._name)
            return False

    def _call(
        self,
        name: str,
        method: Callable[[Sequence[object]], Iterable[AnswerT]],
        job_ids: Sequence[object],
        on_failure: AnswerT,
    ) -> Sequence[AnswerT]:
        try:
            with self._one_at_a_time:
                answers = list(method(job_ids))
            if len(answers) != len(job_ids):
                raise RuntimeError(f"{len(answers)} answers about {len(job_ids)} jobs")
        except Exception as error:
            if (kind := (name, type(error).__name__)) not in self._logged:
                self._logged.add(kind)
                logger.error("%s.%s failed; Parsl will retry", self._name, name, exc_info=error)
            return [on_failure for _ in job_ids]
        self._logged = {kind for kind in self._logged if kind[0] != name}
        return answers
