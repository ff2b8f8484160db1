"""Which database an endpoint names: a URL as in SQLAlchemy, ``sqlite:///runinfo/monitoring.db``."""

from __future__ import annotations

import os
import re

from parsl.monitoring.database.store import Store, StoreError

#: The name of the default database's file in the directory of the runs.
DATABASE = "monitoring.db"
_SQLITE = re.compile(r"sqlite(\+pysqlite)?:///(?P<path>[^?]*)(\?.*)?$")
_SERVER = re.compile(r"postgresql(\+\w+)?://.")
_PASSWORD = re.compile(r"(://[^:/@]*):[^@]*@")


def default_endpoint(runs: str | os.PathLike[str]) -> str:
    """Return the default endpoint for the directory of the runs."""
    return f"sqlite:///{os.path.join(os.path.abspath(runs), DATABASE)}"


def check_endpoint(endpoint: str) -> str:
    """Return what is wrong with an endpoint; empty if it can be used."""
    if _SERVER.match(endpoint):
        return ""
    found = _SQLITE.match(endpoint)
    if found is None:
        is_file = "://" not in endpoint and not endpoint.startswith("sqlite:")
        return (f"for a file, write sqlite:///{endpoint}; " if is_file else "") + (
            "expected sqlite:///PATH (four slashes for an absolute path) or postgresql://USER@HOST/DATABASE"
        )
    path = found["path"]
    return "" if path and path != ":memory:" else "expected the path of a file after sqlite:///"


def absolute_endpoint(endpoint: str) -> str:
    """Return an endpoint that means the same in another directory."""
    path = path_of(endpoint)
    return endpoint if path is None else f"sqlite:///{os.path.abspath(path)}"


def path_of(endpoint: str) -> str | None:
    """Return the file that an endpoint names; None if it names a server."""
    found = _SQLITE.match(endpoint)
    return None if found is None else found["path"]


def without_password(endpoint: str) -> str:
    """Return an endpoint that may be shown."""
    return _PASSWORD.sub(r"\1:***@", endpoint)


def store_for(endpoint: str) -> Store:
    """Return the store that an endpoint names; it is not open yet.

    Raises:
        StoreError: It names none, or a package that it needs is missing.
    """
    if wrong := check_endpoint(endpoint):
        raise StoreError(f"{without_password(endpoint)!r} names no database: {wrong}")
    path = path_of(endpoint)
    if path is not None:
        from parsl.monitoring.database.sqlite import SqliteStore

        return SqliteStore(path)
    from parsl.monitoring.database.server import ServerStore

    return ServerStore(endpoint, without_password(endpoint))
