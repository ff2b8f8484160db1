"""Parameters of batch providers: walltimes, and the names of queues and accounts."""

from __future__ import annotations

import math
import re

from parsl import validate

_N = r"\d{1,9}"
#: After days come at most hours, minutes and seconds.
_WALLTIME = re.compile(
    rf"\s*(?:(?P<days>{_N})-(?!.*:.*:.*:))?(?P<fields>{_N}(?::{_N}){{0,3}})(?P<fraction>\.\d*)?\s*", re.ASCII
)
_UNIT_S = {"day": 86400, "hour": 3600, "minute": 60, "second": 1}
_MAX_DAYS = 10_000


def one_word(owner: object, name: str, value: object) -> str | None:
    """Check the name of a queue, an account and the like: a string without blanks, or None.

    An empty string is refused: schedulers treat it as an omitted value or as an account of that name.
    """
    text = validate.text(owner, name, value, optional=True, allow_empty=False, one_line=True)
    if text is not None and any(char.isspace() for char in text):
        validate.wrong_value(owner, name, value, "a non-empty string without blanks, or None")
    return text


def one_line(owner: object, name: str, value: object) -> str | None:
    """Check a value that may contain blanks, such as a constraint, or None."""
    text = validate.text(owner, name, value, optional=True, allow_empty=False, one_line=True)
    if text is not None and not text.strip():
        validate.wrong_value(owner, name, value, "a non-empty one-line string, or None")
    return text


def parse_walltime(owner: object, value: object, *, bare: str = "second", pair: str = "minute") -> int:
    """Return a walltime in seconds, at least 1; a fraction is rounded up.

    All schedulers accept ``HH:MM:SS``, ``D-HH``, ``D-HH:MM``, ``D-HH:MM:SS`` and ``D:HH:MM:SS``. The
    scheduler decides the unit of a single number (``bare``: second or minute) and that of the first of a
    pair of numbers (``pair``: minute or hour).
    """
    expected = f"a time above zero, as HH:MM:SS, D-HH:MM:SS or a number of {bare}s"
    if isinstance(value, int) and not isinstance(value, bool):
        text = str(value)
    elif isinstance(value, str):
        text = value
    else:
        validate.wrong_type(owner, "walltime", value, expected)
    match = _WALLTIME.fullmatch(text)
    seconds = 0 if match is None else _seconds(match, bare, pair)
    if not 0 < seconds <= _MAX_DAYS * _UNIT_S["day"]:
        validate.wrong_value(owner, "walltime", value, expected)
    return seconds


def format_walltime(seconds: int) -> str:
    """Return ``seconds`` as ``HH:MM:SS``, with more than 24 hours if necessary."""
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def format_minutes(seconds: int) -> str:
    """Return ``seconds`` as a number of minutes, rounded up."""
    return str(-(-seconds // 60))


def _seconds(match: re.Match[str], bare: str, pair: str) -> int:
    fields = [int(field) for field in match["fields"].split(":")]
    first = "hour" if match["days"] else (bare, pair, "hour", "day")[len(fields) - 1]
    units_s = list(_UNIT_S.values())[list(_UNIT_S).index(first) :]
    whole = sum(field * unit_s for field, unit_s in zip(fields, units_s, strict=False))
    fraction = float(f"0{match['fraction'] or ''}") * units_s[len(fields) - 1]
    return int(match["days"] or 0) * _UNIT_S["day"] + math.ceil(whole + fraction)
