"""The differences that docs/compatibility.md allows."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"


class Agreed:
    """The names in the first column of a table, which may be patterns.

    Args:
        section: The heading above the table.
    """

    def __init__(self, page: str, section: str) -> None:
        _, found, rest = page.partition(f"\n## {section}\n")
        if not found:
            raise ValueError(f"docs/compatibility.md has no section {section!r}")
        rows = re.findall(r"^\| (`.*?`) \|", rest.partition("\n## ")[0], re.MULTILINE)
        self.patterns = [pattern for row in rows for pattern in re.findall(r"`([^`]+)`", row)]

    def __contains__(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.patterns)

    def idle(self, names: set[str]) -> list[str]:
        """The patterns that match none of these names."""
        return [one for one in self.patterns if not any(fnmatchcase(name, one) for name in names)]


def deliberate() -> Agreed:
    """The deliberate differences."""
    return Agreed(PAGE.read_text(), "Deliberate differences")


def not_yet() -> Agreed:
    """The names that later versions will have."""
    return Agreed(PAGE.read_text(), "Not there yet")


def deliberate_behaviours() -> Agreed:
    """The scripts that print something else with upstream, on purpose."""
    return Agreed(PAGE.read_text(), "Deliberate differences of behaviour")
