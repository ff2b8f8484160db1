"""Telling users, where they look, what does not end the run but that they ought to know."""

from __future__ import annotations

import os
import sys
import warnings

_PACKAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")


def tell(text: str, category: type[Warning], in_call: bool = False) -> None:
    """Warn, from whatever thread: whoever has made errors of warnings must not lose that thread by it.

    Args:
        text: What happened, and what follows from it.
        category: What kind of warning it is, for filters.
        in_call: Whether a call from outside of this package has brought it about: that line is named.
    """
    try:
        warnings.warn(text, category, stacklevel=_caller_level() if in_call else 3)
    except category:
        pass


def _caller_level() -> int:
    """The stack level, for `warnings.warn` in the function that asks, of who has called this package."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    return level
