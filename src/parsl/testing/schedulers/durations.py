"""Durations as schedulers write them."""

from __future__ import annotations


def parse_duration_s(text: str) -> float | None:
    """Read ``SS``, ``MM:SS`` or ``HH:MM:SS``, with or without fractions of a second.

    Returns:
        Seconds; None if it is no duration.
    """
    fields = text.strip().split(":")
    seconds, _, fraction = fields[-1].partition(".")
    whole = [*fields[:-1], seconds]
    if (
        len(whole) > 3
        or not all(_is_number(field) for field in whole)
        or (fraction and not _is_number(fraction))
    ):
        return None
    total = 0.0
    for field in whole:
        total = total * 60 + int(field)
    return total + (float(f"0.{fraction}") if fraction else 0.0)


def format_duration(seconds: float) -> str:
    """Write ``HH:MM:SS``; hours may have more than two digits."""
    whole = int(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def format_hours_minutes(seconds: float) -> str:
    """Write ``HH:MM``, rounded up to the minute, as tables of jobs have it."""
    minutes = -(-int(seconds) // 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
