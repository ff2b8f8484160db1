"""Telling users, where they look, what does not end the run but that they ought to know."""

from __future__ import annotations

import warnings


def tell(text: str, category: type[Warning]) -> None:
    """Warn, from whatever thread: whoever has made errors of warnings must not lose that thread by it.

    Args:
        text: What happened, and what follows from it.
        category: What kind of warning it is, for filters.
    """
    try:
        warnings.warn(text, category, stacklevel=3)
    except category:
        pass
