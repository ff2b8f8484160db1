"""Blocks on machines of Microsoft Azure."""

from __future__ import annotations

from parsl.common import lazy_names

__getattr__, __dir__ = lazy_names(__name__)
