"""Job ids of PBS: ``42.server``, or ``42`` for short."""

from __future__ import annotations


def full_id(number: int, server: str) -> str:
    """Return the id that PBS prints."""
    return f"{number}.{server}"


def parse_id(text: str, server: str) -> int | None:
    """Read an id in its long or short form.

    Returns:
        The job's number, -1 for a job of another server; None if it is no id.
    """
    digits, dot, rest = text.partition(".")
    if not (digits.isascii() and digits.isdigit()):
        return None
    if dot and rest not in (server, server.partition(".")[0]):
        return -1
    return int(digits)
