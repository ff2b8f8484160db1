"""Errors of providers."""

from __future__ import annotations

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
