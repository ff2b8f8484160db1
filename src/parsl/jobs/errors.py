"""Errors about batch jobs."""

from __future__ import annotations

from parsl.common import pass_on_upstream_names
from parsl.vocabulary.provider_errors import JobsNeverRunError, TooManyJobFailuresError

__all__ = ["JobsNeverRunError", "TooManyJobFailuresError"]


pass_on_upstream_names(__name__)
