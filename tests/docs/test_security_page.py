"""docs/security.md gives the reason for each dependency's oldest version, and for no other."""

from __future__ import annotations

import re
from pathlib import Path

TOP = Path(__file__).parents[2]


def test_the_table_has_the_dependencies_of_the_core():
    project = (TOP / "pyproject.toml").read_text()
    block = re.search(r"^dependencies = \[\n(.*?)^\]", project, re.MULTILINE | re.DOTALL)
    assert block is not None
    required = re.findall(r'"([^"]+)"', block[1])
    assert required
    table = re.findall(r"^\| `([^`]+>=[^`]+)` \|", (TOP / "docs" / "security.md").read_text(), re.MULTILINE)
    assert table == required
    assert all(re.fullmatch(r"[\w-]+>=[\d.]+", each) for each in required), "what .ci/lowest can read"
