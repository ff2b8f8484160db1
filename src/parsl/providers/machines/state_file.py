"""A file that survives the driver: the machines of its run, and the machine-hours used."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field

from parsl.errors import ConfigurationError
from parsl.vocabulary.findings import Finding, Topic

_FORMAT = 1
_TOPIC = Topic("state_file")


@dataclass(frozen=True)
class SavedRun:
    """A run that may have machines, and where."""

    name: str
    module: str  #: the module of the cloud
    address: dict[str, str]  #: see :meth:`parsl.providers.machines.cloud.Cloud.address`
    blocks: dict[str, list[str]] = field(default_factory=dict)  #: the machines of each block


@dataclass
class SavedState:
    """The contents of a state file."""

    runs: list[SavedRun] = field(default_factory=list)  #: those that have not ended properly, oldest first
    machine_hours: float = 0.0  #: used by all runs with this file


class StateFile:
    """Reads and writes a state file. Only one process at a time can open the same file.

    The lock is on a file next to the state file, as each write replaces the state file itself.

    Args:
        path: The state file; its directory must exist.

    Raises:
        ConfigurationError: Another process has the file open, or it cannot be written.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock: int | None = _lock(f"{path}.lock")

    def __repr__(self) -> str:
        return f"<StateFile {self.path}{'' if self._lock is not None else ', closed'}>"

    def read(self) -> SavedState:
        """Return the contents; an empty state if there is no file.

        Raises:
            ConfigurationError: The file is not a state file.
        """
        return _read(self.path)

    def write(self, state: SavedState) -> None:
        """Replace the contents, so that a reader sees the earlier or the new ones.

        Raises:
            OSError: The file cannot be written.
        """
        path = f"{self.path}.new"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump({"format": _FORMAT, **asdict(state)}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(path, self.path)

    def close(self) -> None:
        """Let other processes open the file."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def state_file_findings(path: str | None) -> list[Finding]:
    """Return an error if a state file cannot be used; it is neither written nor locked.

    Args:
        path: The state file; None if there is none.
    """
    if path is None:
        return []
    directory = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(directory):
        return [
            _TOPIC.error(
                f"{directory!r} is no directory.",
                "Create it, make it accessible, or name another state_file.",
            )
        ]
    if not os.access(directory, os.W_OK | os.X_OK):
        return [_TOPIC.error(f"no file can be written in {directory!r}.", "Name another state_file.")]
    try:
        _read(path)
    except ConfigurationError as error:
        return [_TOPIC.error(str(error))]
    return []


def _read(path: str) -> SavedState:
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
        if data.pop("format") != _FORMAT:
            raise ValueError("its format is that of another version")
        return SavedState([SavedRun(**run) for run in data.pop("runs")], **data)
    except FileNotFoundError:
        return SavedState()
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigurationError(
            f"state_file {path!r} cannot be read: {error}. Name a file that Parsl has written, or "
            "one that does not exist. If this one is damaged, look for forgotten machines with "
            "`parsl clouds list`, and remove the file."
        ) from error


def _lock(path: str) -> int:
    import fcntl

    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationError(f"The lock of the state file cannot be written: {error}.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise ConfigurationError(
            f"state_file {path.removesuffix('.lock')!r} is in use by another run: each run needs its own."
        ) from error
    return descriptor
