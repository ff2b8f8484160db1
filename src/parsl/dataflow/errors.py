"""Errors of the data flow kernel."""

from __future__ import annotations

from parsl.vocabulary.dataflow_errors import (
    BadCheckpoint,
    DataFlowException,
    DependencyError,
    JoinError,
    PropagatedException,
)

__all__ = ["BadCheckpoint", "DataFlowException", "DependencyError", "JoinError", "PropagatedException"]
