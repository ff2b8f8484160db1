"""The configuration of a kernel."""

from __future__ import annotations

from parsl.common import pass_on_upstream_names
from parsl.dataflow.config import Config

__all__ = ["Config"]


pass_on_upstream_names(__name__)
