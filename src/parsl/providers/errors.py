"""Errors of providers."""

from __future__ import annotations

from parsl.common import pass_on_upstream_names
from parsl.vocabulary.provider_errors import (
    ExecutionProviderException,
    ScaleOutFailed,
    SchedulerMissingArgs,
    ScriptPathError,
    SubmitException,
)

__all__ = [
    "ExecutionProviderException",
    "ScaleOutFailed",
    "SchedulerMissingArgs",
    "ScriptPathError",
    "SubmitException",
]


pass_on_upstream_names(__name__)
