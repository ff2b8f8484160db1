"""The tables of the design page name packages and modules that exist."""

from __future__ import annotations

import re
from pathlib import Path

import parsl

_SOURCE = Path(parsl.__file__).parent
_PAGE = Path(__file__).parents[2] / "docs" / "design.md"


def _rows(heading: str) -> list[list[str]]:
    section = _PAGE.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return rows[2:]


def _names(cell: str) -> list[str]:
    return re.findall(r"`([a-z_/]+)`", cell)


def _exists(path: Path) -> bool:
    return path.is_dir() or path.with_suffix(".py").exists()


def test_the_layers_name_every_package_and_module():
    named = {name for row in _rows("Layers") for name in _names(row[1])} - {"parsl"}
    actual = {
        path.stem for path in _SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert named == actual - {"__init__", "__main__"}


def test_the_rooms_name_modules_that_exist():
    rows = _rows("Rooms")
    assert len(rows) > 10
    for packages, contents in rows:
        for package in _names(packages):
            assert (_SOURCE / package).is_dir(), package
            for module in _names(contents):
                assert any(_exists(_SOURCE / each / module) for each in _names(packages)), (package, module)
