"""The tables of a monitoring database as mapped classes of SQLAlchemy, for queries.

They need no application of Flask: pass ``select(Task)`` to a connection of ``Database(url).eng`` of
:mod:`parsl.monitoring.db_manager`.
"""

from __future__ import annotations

from parsl.monitoring.db_manager import Database

__all__ = ["Block", "Node", "Resource", "Status", "Task", "Try", "Workflow"]

Workflow, Task, Try, Status = Database.Workflow, Database.Task, Database.Try, Database.Status
Node, Block, Resource = Database.Node, Database.Block, Database.Resource


def __getattr__(name: str) -> object:
    if name == "db":
        raise ImportError(
            f"{__name__} has no 'db': pages are not made with Flask here. For queries, use "
            "parsl.monitoring.db_manager.Database(url).eng, or parsl.monitoring.queries.pandas"
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
