"""What a check has found."""

from __future__ import annotations

from typing import NamedTuple

#: It is as it should be.
OK = "ok"
#: Worth knowing.
NOTE = "note"
#: May fail, or be a waste.
WARNING = "warning"
#: Would fail.
ERROR = "error"


class Finding(NamedTuple):
    """One sentence about a configuration."""

    #: OK, NOTE, WARNING or ERROR.
    level: str
    #: What it is about, in a word or two.
    topic: str
    text: str
    #: What to do; empty if nothing, or if the text says it.
    advice: str = ""


def count(findings: list[Finding], level: str) -> int:
    """Return how many findings are of a level."""
    return sum(finding.level == level for finding in findings)
