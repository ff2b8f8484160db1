"""Files of tasks, and staging: moving them to and from where tasks run."""

from __future__ import annotations

from parsl.common import lazy_names

__getattr__, __dir__ = lazy_names(__name__)
