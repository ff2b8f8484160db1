"""The file in a run directory with the settings of the process that writes the database.

The file exists as long as rows may be missing, so that another process finds the runs that are not complete.
Its lock belongs to the process that writes.
"""

from __future__ import annotations

import os
import re

import msgspec

#: The exit code of a process that has reported why it cannot write the database.
GAVE_UP = 3
_FILE = "monitoring.json"
#: The exit code for a run whose rows are all stored already.
_COMPLETE_FILE = "monitoring-complete.json"
_PASSWORD = re.compile(r"(://[^:/@]*):[^@]*@")


class Settings(msgspec.Struct):
    """How a run is recorded.

    Attributes:
        endpoint: The URL of the database.
        resource_interval_s: The interval of resource samples in seconds; None if there are none.
        debug: Whether to log each transaction.
    """

    endpoint: str
    resource_interval_s: float | None
    debug: bool = False


def settings_file(run_dir: str) -> str:
    """Return the path of the settings of a run."""
    return os.path.join(run_dir, _FILE)


def write_settings(run_dir: str, settings: Settings) -> None:
    """Write the settings of a run, for its user only: an endpoint may contain a password."""
    _write(settings_file(run_dir), settings)


def complete_settings(run_dir: str, settings: Settings) -> None:
    """Note that no rows are missing. Where they are stays known, without a password."""
    where = msgspec.structs.replace(settings, endpoint=_PASSWORD.sub(r"\1@", settings.endpoint))
    try:
        _write(os.path.join(run_dir, _COMPLETE_FILE), where)
    finally:
        os.unlink(settings_file(run_dir))


def read_settings(run_dir: str) -> Settings | None:
    """Return the settings of a run of which rows may be missing; None for others."""
    return _read(settings_file(run_dir))


def known_settings(run_dir: str) -> Settings | None:
    """Return how a run is or was recorded; None if that is not known."""
    return read_settings(run_dir) or _read(os.path.join(run_dir, _COMPLETE_FILE))


def _write(path: str, settings: Settings) -> None:
    data = msgspec.json.encode(settings)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as file:
        file.write(data)


def _read(path: str) -> Settings | None:
    try:
        with open(path, "rb") as file:
            return msgspec.json.decode(file.read(), type=Settings)
    except (OSError, msgspec.DecodeError):
        return None
