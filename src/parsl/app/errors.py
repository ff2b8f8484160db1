"""Errors of apps."""

from __future__ import annotations

from parsl.common import pass_on_upstream_names
from parsl.vocabulary.app_errors import (
    AppBadFormatting,
    AppException,
    AppTimeout,
    BadStdStreamFile,
    BashAppNoReturn,
    BashExitFailure,
    MissingOutputs,
    meaning_of_exit,
    task_failure,
)
from parsl.vocabulary.packed_errors import RemoteExceptionWrapper, wrap_error

__all__ = [
    "AppBadFormatting",
    "AppException",
    "AppTimeout",
    "BadStdStreamFile",
    "BashAppNoReturn",
    "BashExitFailure",
    "MissingOutputs",
    "RemoteExceptionWrapper",
    "meaning_of_exit",
    "task_failure",
    "wrap_error",
]


pass_on_upstream_names(__name__)
