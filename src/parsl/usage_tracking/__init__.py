"""Usage tracking, which is off unless a configuration turns it on."""

from __future__ import annotations

from parsl.common import lazy_names

__getattr__, __dir__ = lazy_names(__name__)
