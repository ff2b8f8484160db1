"""Kubernetes: blocks are Jobs of a cluster of containers."""

from __future__ import annotations

from parsl.common import lazy_names

__getattr__, __dir__ = lazy_names(__name__)
