"""Warnings to users about problems that do not end the run."""

from __future__ import annotations

import os
import sys
import warnings

_PACKAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")


def warn_user(text: str, category: type[Warning], in_call: bool = False) -> None:
    """Warn, from any thread. A filter that turns warnings into errors must not end that thread.

    ``in_call``: a call from outside of this package caused the warning, which then names that line.
    """
    try:
        warnings.warn(text, category, stacklevel=_caller_level() if in_call else 3)
    except category:
        pass


def _caller_level() -> int:
    """Return the stack level of the call into this package, as seen from the calling function."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    return level
