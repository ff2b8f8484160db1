"""Walltimes as users and schedulers write them."""

from __future__ import annotations

import math
import re

from parsl import validate

_DAYS = r"(?:(?P<days>\d+)-)?"
_FIELDS = r"(?P<fields>\d+(?::\d+){0,3})(?P<fraction>\.\d*)?"
_WALLTIME = re.compile(rf"\s*{_DAYS}{_FIELDS}\s*", re.ASCII)
_UNIT_S = {"day": 86400, "hour": 3600, "minute": 60, "second": 1}
_UNITS = tuple(_UNIT_S)
_MAX_DAYS = 10_000


def parse_walltime(owner: object, value: object, *, bare: str = "second", pair: str = "minute") -> int:
    """Read a walltime.

    All schedulers share ``HH:MM:SS``, ``D-HH``, ``D-HH:MM``, ``D-HH:MM:SS`` and ``D:HH:MM:SS``. They differ
    in what a number or a pair of them is.

    Args:
        owner: The provider, for the message of an error.
        value: Text, or a number of ``bare`` units.
        bare: What a single number counts: ``"second"`` or ``"minute"``.
        pair: What the first number of a pair counts: ``"minute"`` or ``"hour"``; the second counts the next
            smaller unit.

    Returns:
        Seconds, at least 1; a fraction is rounded up.

    Raises:
        ParameterError: It is none of these, or no time at all.
    """
    expected = f"a time above zero, as HH:MM:SS, D-HH:MM:SS or a number of {bare}s"
    if isinstance(value, int) and not isinstance(value, bool):
        text = str(value)
    elif isinstance(value, str):
        text = value
    else:
        validate.wrong_type(owner, "walltime", value, expected)
    match = _WALLTIME.fullmatch(text)
    if match is None:
        validate.wrong_value(owner, "walltime", value, expected)
    seconds = _seconds(match, bare, pair)
    if seconds is None or not 0 < seconds <= _MAX_DAYS * _UNIT_S["day"]:
        validate.wrong_value(owner, "walltime", value, expected)
    return seconds


def format_walltime(seconds: int) -> str:
    """Write ``seconds`` as ``HH:MM:SS``; there may be more than 24 hours."""
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def format_minutes(seconds: int) -> str:
    """Write ``seconds`` as a number of minutes, rounded up."""
    return str(-(-seconds // 60))


def _seconds(match: re.Match[str], bare: str, pair: str) -> int | None:
    fields = [int(field) if len(field) < 10 else 10**10 for field in match["fields"].split(":")]
    if match["days"] is not None:
        first = "hour"
        if len(fields) > 3:
            return None
    else:
        first = {1: bare, 2: pair, 3: "hour", 4: "day"}[len(fields)]
    days = min(int(match["days"] or 0), _MAX_DAYS + 1) if len(match["days"] or "") < 10 else _MAX_DAYS + 1
    units = _UNITS[_UNITS.index(first) :]
    whole = days * _UNIT_S["day"] + sum(
        field * _UNIT_S[unit] for field, unit in zip(fields, units, strict=False)
    )
    fraction = float(match["fraction"] + "0") if match["fraction"] else 0.0
    return math.ceil(whole + fraction * _UNIT_S[units[len(fields) - 1]])
