"""A monitoring database through SQLAlchemy: its tables as mapped classes, and rows of a program's own.

``select(Database.Task).where(Database.Task.run_id == run_id)`` reads what MonitoringHub has written. Runs
need nothing of this module: a process of MonitoringHub's writes the database from the event log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from parsl.common.parameter_names import refusing_class
from parsl.errors import ConfigurationError, OptionalModuleMissing
from parsl.monitoring.database import schema
from parsl.monitoring.database.endpoint import store_for
from parsl.monitoring.database.server import with_driver

try:
    import sqlalchemy
    from sqlalchemy.orm import DeclarativeBase
except ImportError as error:
    raise OptionalModuleMissing(
        ["sqlalchemy"], "monitoring databases as Python objects: pip install 'parsl[monitoring]'"
    ) from error

WORKFLOW, TASK, TRY, STATUS, NODE, BLOCK, RESOURCE = (table.name for table in schema.UPSTREAM_TABLES)

_TYPES = {
    schema.TEXT: sqlalchemy.Text,
    schema.INTEGER: sqlalchemy.Integer,
    schema.BIGINT: sqlalchemy.BigInteger,
    schema.FLOAT: sqlalchemy.Float,
    schema.DATETIME: sqlalchemy.DateTime,
    schema.BOOLEAN: sqlalchemy.Boolean,
}
_ADVICE = (
    "does not exist here: Config(monitoring=MonitoringHub(...)) starts a process that writes the database "
    "from the event log of the run, and `parsl monitoring RUN` writes a run later. For rows of your own, use "
    "parsl.monitoring.db_manager.Database(url).insert(...)"
)


class _Base(DeclarativeBase):
    """The base of the mapped classes."""


def _mapped(table: schema.Table) -> Any:
    columns: list[sqlalchemy.Column[Any]] = [
        sqlalchemy.Column(
            column.name,
            _TYPES[column.kind],
            nullable=not column.is_required,
            primary_key=column.name in table.key,
        )
        for column in table.columns
    ]
    mapped = sqlalchemy.Table(table.name, _Base.metadata, *columns)
    return type(
        table.name.capitalize(), (_Base,), {"__table__": mapped, "__doc__": f"A row of {table.name}."}
    )


class Database:
    """A monitoring database: its tables are created if they do not exist. May be used from any thread.

    Args:
        url: The database, ``sqlite:///PATH`` or ``postgresql://USER@HOST/DATABASE``.

    Attributes:
        eng: The engine of SQLAlchemy.
        meta: What SQLAlchemy knows of the tables.

    Raises:
        StoreError: The database cannot be used, or has another schema.
        StoreBusy: It is locked by another program, or its server is unreachable.
    """

    Base = _Base
    Workflow, Task, Try, Status, Node, Block, Resource = map(_mapped, schema.UPSTREAM_TABLES)

    def __init__(self, url: str = "sqlite:///runinfo/monitoring.db") -> None:
        store = store_for(url)
        store.open()
        store.close()
        self.eng = sqlalchemy.create_engine(with_driver(url))
        self.meta = _Base.metadata

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.eng.url!r}>"

    def insert(self, *, table: str, messages: Iterable[Mapping[str, Any]]) -> None:
        """Store rows, all of them or none.

        Args:
            table: The name of a table of upstream's, such as ``STATUS``.
            messages: The values of each row by column; other keys are ignored, missing values are NULL.

        Raises:
            ConfigurationError: There is no such table.
            sqlalchemy.exc.SQLAlchemyError: The rows cannot be stored.
        """
        found = self._table(table)
        given = list(messages)
        names = [column.name for column in found.c if any(column.name in row for row in given)]
        if names:
            with self.eng.begin() as connection:
                connection.execute(found.insert(), [{name: row.get(name) for name in names} for row in given])

    def update(self, *, table: str, columns: Iterable[str], messages: Iterable[Mapping[str, Any]]) -> None:
        """Change rows that exist, all of them or none.

        Args:
            table: The name of a table of upstream's.
            columns: The columns that change, and those of the table's key.
            messages: The new values of each row by column, with those of its key.

        Raises:
            ConfigurationError: There is no such table.
            sqlalchemy.exc.SQLAlchemyError: The rows cannot be changed.
        """
        found = self._table(table)
        keys = [column.name for column in found.primary_key]
        changed = [name for name in columns if name in found.c and name not in keys]
        with self.eng.begin() as connection:
            for row in messages:
                values = {name: row[name] for name in changed if name in row}
                if values:
                    which = (found.c[name] == row[name] for name in keys)
                    connection.execute(found.update().where(*which).values(values))

    def rollback(self) -> None:
        """Do nothing: each call is a transaction of its own, which is undone when it fails."""

    def _table(self, name: str) -> sqlalchemy.Table:
        if name not in self.meta.tables:
            raise ConfigurationError(
                f"A monitoring database has no table {name!r}; it has {', '.join(sorted(self.meta.tables))}"
            )
        return self.meta.tables[name]


#: What writes the database with upstream; its constructor raises ConfigurationError, with advice.
DatabaseManager = refusing_class("DatabaseManager", _ADVICE)


def dbm_starter(*arguments: Any, **options: Any) -> NoReturn:
    """Raise an error that names what to use instead."""
    raise ConfigurationError(f"dbm_starter {_ADVICE}.")
