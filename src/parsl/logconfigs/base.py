"""How a configuration chooses the logging of Parsl's processes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path


class LogConfig(ABC):
    """Plug-in base: starts the logging of a process.

    One object serves several processes, to which it is sent by pickling, and several runs, possibly at the
    same time. The state of one start therefore belongs to the function that ends the logging.
    """

    @abstractmethod
    def initialize_logging(self, *, log_dir: Path, log_name: str) -> Callable[[], None]:
        """Start logging.

        Args:
            log_dir: The directory of the run, or of the process in it; it exists.
            log_name: A name for the file: ``"parsl"``, ``"interchange"``, ...

        Returns:
            A function that ends the logging and closes its files.
        """


def oneshot_initialize_logging(*, log_config: LogConfig, log_dir: Path, log_name: str) -> None:
    """Start logging until the process ends; arguments as for :meth:`LogConfig.initialize_logging`."""
    _oneshots[log_config] = log_config.initialize_logging(log_dir=log_dir, log_name=log_name)


def oneshot_uninitialize_logging(*, log_config: LogConfig) -> None:
    """End the logging that :func:`oneshot_initialize_logging` started with ``log_config``, if any."""
    end = _oneshots.pop(log_config, None)
    if end is not None:
        end()


_oneshots: dict[LogConfig, Callable[[], None]] = {}
