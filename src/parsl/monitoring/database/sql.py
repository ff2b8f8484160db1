"""The SQL that creates and fills the tables, for each kind of database."""

from __future__ import annotations

from typing import NamedTuple

from parsl.monitoring.database import schema


class Dialect(NamedTuple):
    """What differs between kinds of databases.

    Attributes:
        mark: Stands for a value in a statement.
        types: Their names of types.
        key_type: The type of a key that the database counts itself.
        keyed_suffix: What follows the definition of a table whose key the rows contain.
        casts_values: Whether a value in a SELECT needs its type.
    """

    mark: str
    types: dict[str, str]
    key_type: str
    keyed_suffix: str
    casts_values: bool


def creating_statements(dialect: Dialect) -> list[str]:
    """Return the statements that create all tables and indexes, where they do not exist."""
    statements = []
    for table in schema.TABLES:
        suffix = "" if table is schema.NODE else dialect.keyed_suffix
        body = ", ".join(_definitions(table, dialect))
        statements.append(f"CREATE TABLE IF NOT EXISTS {quoted(table.name)} ({body}){suffix}")
        statements += [_index(table, name, columns) for name, columns in table.indexes.items()]
    return statements


def _index(table: schema.Table, name: str, columns: tuple[str, ...]) -> str:
    """An index lacks the rows that have nothing in its first column, which no query looks for."""
    statement = f"CREATE INDEX IF NOT EXISTS {name} ON {quoted(table.name)} ({', '.join(columns)})"
    is_required = next(column.is_required for column in table.columns if column.name == columns[0])
    return statement if is_required else f"{statement} WHERE {columns[0]} IS NOT NULL"


def _definitions(table: schema.Table, dialect: Dialect) -> list[str]:
    lines = []
    for column in table.columns:
        kind = dialect.types.get(column.kind, column.kind)
        required = " NOT NULL" if column.is_required else ""
        is_counted = table is schema.NODE and column.name == "id"
        lines.append(f"{quoted(column.name)} {dialect.key_type if is_counted else kind + required}")
    lines.append(f"PRIMARY KEY ({', '.join(table.key)})")
    if table.has_run:
        lines.append("FOREIGN KEY(run_id) REFERENCES workflow (run_id)")
    return lines


def storing_statements(dialect: Dialect) -> dict[str, str]:
    """Return the statement that stores a row, for each table by name."""
    return {
        table.name: _node_statement(dialect) if table is schema.NODE else _merging_statement(table, dialect)
        for table in schema.TABLES
    }


def _merging_statement(table: schema.Table, dialect: Dialect) -> str:
    """Merge a row with what is there: known values replace older ones, unknown values do not."""
    names = table.column_names
    columns = ", ".join(map(quoted, names))
    marks = ", ".join([dialect.mark] * len(names))
    key = ", ".join(table.key)
    statement = f"INSERT INTO {quoted(table.name)} ({columns}) VALUES ({marks}) ON CONFLICT ({key}) DO "
    others = [quoted(name) for name in names if name not in table.key]
    if table.is_log or not others:
        return statement + "NOTHING"
    merged = (f"{name} = COALESCE(excluded.{name}, {quoted(table.name)}.{name})" for name in others)
    return f"{statement}UPDATE SET {', '.join(merged)}"


def _node_statement(dialect: Dialect) -> str:
    """Store a row of ``node``, whose key the database counts, unless the manager has one of that moment."""
    columns = schema.NODE.columns[1:]
    names = ", ".join(column.name for column in columns)
    values = ", ".join(f"{_value(column, dialect)} AS {column.name}" for column in columns)
    return (
        f"INSERT INTO node ({names}) SELECT {names} FROM (SELECT {values}) AS new WHERE NOT EXISTS (SELECT 1 "
        "FROM node WHERE node.run_id = new.run_id AND node.uid = new.uid AND node.timestamp = new.timestamp)"
    )


def _value(column: schema.Column, dialect: Dialect) -> str:
    kind = dialect.types.get(column.kind, column.kind)
    return f"CAST({dialect.mark} AS {kind})" if dialect.casts_values else dialect.mark


def quoted(name: str) -> str:
    """Return a name that SQL does not take for a keyword."""
    return f'"{name}"' if name in ("user", "try", "timestamp", "text", "status") else name
