"""Conversions of moments. Texts are in the local time zone."""

from __future__ import annotations

from datetime import datetime

#: The form of moments.
DB_DATE_FORMAT = "%Y-%m-%d %H:%M:%S"


def timestamp_to_float(time: str, format: str = DB_DATE_FORMAT) -> float:
    """Return a moment in seconds since the epoch.

    Args:
        time: The moment as text.
        format: Its form, as for :meth:`datetime.datetime.strptime`.
    """
    return datetime.strptime(time, format).timestamp()


def timestamp_to_int(time: str) -> int:
    """Return a moment in whole seconds since the epoch."""
    return int(timestamp_to_float(time))


def num_to_timestamp(n: float) -> datetime:
    """Return a moment, given in seconds since the epoch, in the local time zone."""
    return datetime.fromtimestamp(n)
