"""The schema of an SQLite file, as plain data: what upstream and this package are compared by."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path
from typing import Any

TABLES = ("workflow", "task", "try", "status", "node", "block", "resource")


def schema_of(path: Path | str) -> dict[str, Any]:
    """Return upstream's tables: columns (name, type, NOT NULL, place in the key), references, indexes."""
    connection = sqlite3.connect(path)
    try:
        return {name: _table(connection, name) for name in TABLES}
    finally:
        connection.close()


def _table(connection: sqlite3.Connection, name: str) -> dict[str, Any]:
    columns = connection.execute(f'PRAGMA table_info("{name}")').fetchall()
    references = connection.execute(f'PRAGMA foreign_key_list("{name}")').fetchall()
    indexes = connection.execute(f'PRAGMA index_list("{name}")').fetchall()
    return {
        "columns": [[column[1], column[2], bool(column[3]), column[5]] for column in columns],
        "references": [[column[3], column[2], column[4]] for column in references],
        "indexes": sorted(index[1] for index in indexes if not index[1].startswith("ix_parsl_")),
    }


if __name__ == "__main__":
    import json

    print(json.dumps(schema_of(sys.argv[1]), indent=1))
