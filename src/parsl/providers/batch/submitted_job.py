"""What a provider knows about one of its jobs."""

from __future__ import annotations

import os

from parsl.providers.batch.answers import JobRecord
from parsl.providers.job_files import JobFiles
from parsl.vocabulary.job_states import JobState, JobStatus

#: A scheduler may not know a job that it has accepted more recently than this, in seconds.
FRESH_S = 5.0
#: How long a scheduler must not know a job whose end has not been seen, in seconds.
UNSEEN_END_S = 10.0


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
        return self._status(JobState.MISSING, f"the scheduler does not know the job {self.job_id} any more")

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
