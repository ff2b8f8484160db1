"""The states of a batch job."""

from __future__ import annotations

from parsl.vocabulary.job_states import TERMINAL_STATES, JobState, JobStatus

__all__ = ["JobState", "JobStatus", "TERMINAL_STATES"]
