"""The table in chaos/README.md names tests that exist, and each class of defects has one."""

from __future__ import annotations

import re
from pathlib import Path

TOP = Path(__file__).parents[2]
TABLE = (TOP / "chaos" / "README.md").read_text().partition("| what breaks |")[2]
ROWS = [line.strip("| ").split(" | ") for line in TABLE.splitlines() if line.startswith("| ")]


def named_tests() -> list[tuple[str, str]]:
    """File and name of every test in the table."""
    return [
        (path, name)
        for *_, cell in ROWS[1:]
        for path, names in re.findall(r"`([\w/]+\.py)`: ((?:`\w+`(?:, )?)+)", cell)
        for name in re.findall(r"`(\w+)`", names)
    ]


def test_every_row_has_a_guarantee_and_tests() -> None:
    assert len(ROWS) > 30
    assert [row for row in ROWS[1:] if len(row) != 3 or not row[1] or "`test_" not in row[2]] == []


def test_the_tests_exist() -> None:
    sources = {path: (TOP / path).read_text() for path, _ in named_tests()}
    assert len(named_tests()) > 60
    assert [(path, name) for path, name in named_tests() if f"def {name}(" not in sources[path]] == []


def test_every_chaos_test_is_described() -> None:
    page = (TOP / "chaos" / "README.md").read_text()
    assert [path.name for path in (TOP / "chaos").glob("test_*.py") if path.name not in page] == []
