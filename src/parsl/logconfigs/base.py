"""What a configuration says about logging: an object that starts it in each of Parsl's processes."""

from __future__ import annotations

from abc import ABC, abstractmethod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class LogConfig(ABC):
    """Starts logging in a process.

    One object serves several processes, to which it is sent by pickling, and several runs one after
    the other or together; so what belongs to one start is kept in the function that ends it.
    """

    @abstractmethod
    def initialize_logging(self, *, log_dir: Path, log_name: str) -> Callable[[], None]:
        """Start to log.

        Args:
            log_dir: The directory of this run, or of this process in it; it exists.
            log_name: What is logging, to name a file for: ``"parsl"``, ``"interchange"``, ...

        Returns:
            A function that ends it and frees what it holds.
        """


def oneshot_initialize_logging(*, log_config: LogConfig, log_dir: Path, log_name: str) -> None:
    """Start to log for as long as this process lives.

    Args:
        log_config: How.
        log_dir: See :meth:`LogConfig.initialize_logging`.
        log_name: See :meth:`LogConfig.initialize_logging`.
    """
    _oneshots[log_config] = log_config.initialize_logging(log_dir=log_dir, log_name=log_name)


def oneshot_uninitialize_logging(*, log_config: LogConfig) -> None:
    """End what :func:`oneshot_initialize_logging` started with ``log_config``, if it did."""
    end = _oneshots.pop(log_config, None)
    if end is not None:
        end()


_oneshots: dict[LogConfig, Callable[[], None]] = {}
