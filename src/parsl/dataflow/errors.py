"""Errors of the data flow kernel."""

from __future__ import annotations

from parsl.common import pass_on_upstream_names
from parsl.vocabulary.dataflow_errors import (
    BadCheckpoint,
    DataFlowException,
    DependencyError,
    JoinError,
    PropagatedException,
)

__all__ = ["BadCheckpoint", "DataFlowException", "DependencyError", "JoinError", "PropagatedException"]


pass_on_upstream_names(__name__)
