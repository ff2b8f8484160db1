"""The configuration of a kernel."""

from __future__ import annotations

from parsl.dataflow.config import Config

__all__ = ["Config"]
