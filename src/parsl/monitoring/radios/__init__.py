"""Radios: how code in tasks sends monitoring messages to the driver.

What tasks use is recorded without a radio, because it arrives with their results. A radio is for messages of
other programs, or for an executor whose tasks report it themselves.
"""

from __future__ import annotations

from parsl.common import lazy_names

__getattr__, __dir__ = lazy_names(__name__)
