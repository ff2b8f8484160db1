"""Errors about batch jobs."""

from __future__ import annotations

from parsl.vocabulary.provider_errors import JobsNeverRunError, TooManyJobFailuresError

__all__ = ["JobsNeverRunError", "TooManyJobFailuresError"]
