"""The version of Parsl; the calendar date of the release."""

from __future__ import annotations

VERSION = "2026.11.23"


def get_version() -> str:
    """Return the version of Parsl, such as ``"2026.11.23"``."""
    return VERSION
