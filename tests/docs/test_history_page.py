"""The queries of the page "Querying history" find something in the database of a run."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from parsl.monitoring.database import schema
from tests.docs.pages import DOCS, read_blocks
from tests.support.event_logs import write_database

PAGE = (DOCS / "guide" / "history.md").read_text()
QUERIES = [block.text for block in read_blocks(PAGE) if block.language == "sql"]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_database(tmp_path_factory.mktemp("runs"))


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_finds_something(database: Path, query: str) -> None:
    with closing(sqlite3.connect(database)) as connection:
        found = connection.execute(query).fetchall()
    assert found
    assert any(value is not None for value in found[0])


def test_the_page_explains_each_table() -> None:
    section = PAGE.partition("\n## Tables\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == [
        *("workflow", "task", "try", "status", "resource", "block", "node"),
        *(table.name for table in schema.OWN_TABLES),
    ]
