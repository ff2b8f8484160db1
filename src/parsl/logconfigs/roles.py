"""The logs of an executor's processes: in the executor's own form, or by the run's ``LogConfig``."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from parsl.errors import ConfigurationError
from parsl.logconfigs.handlers import LogFile, attach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from parsl.logconfigs.base import LogConfig

#: The format of the records of an executor's processes without a ``LogConfig``.
_ROLE_FORMAT = "%(asctime)s %(name)s:%(lineno)d %(levelname)s: %(message)s"


def pack(log_config: LogConfig | None) -> bytes:
    """Return a ``LogConfig`` for other processes; empty for None.

    Raises:
        ConfigurationError: It cannot be pickled.
    """
    if log_config is None:
        return b""
    import cloudpickle

    try:
        packed: bytes = cloudpickle.dumps(log_config)  # a class of the user's script by value
    except Exception as error:
        raise ConfigurationError(
            f"Config: initialize_logging is {log_config!r}, which cannot be sent to the executor's "
            f"processes: {error!r}. Open files and locks in initialize_logging(), which each process calls"
        ) from error
    return packed


def start_role_log(
    file: str | os.PathLike[str], *, is_debug: bool, log_config: bytes = b"", logger_name: str = "parsl"
) -> Callable[[], None]:
    """Start the log of one of an executor's processes.

    Args:
        file: The path of the log. A ``LogConfig`` gets its directory, and its name without ``.log``.
        is_debug: Whether to write from DEBUG, or else from INFO on; a ``LogConfig`` has its own level.
        log_config: What :func:`pack` has returned, from a source that only the user can write.
        logger_name: The logger of the process.

    Returns:
        A function that ends the log.

    Raises:
        OSError: The log cannot be opened.
        ConfigurationError: The ``LogConfig`` has failed.
    """
    if not log_config:
        level = logging.DEBUG if is_debug else logging.INFO
        return attach(LogFile(file), logger_name=logger_name, level=level, format_string=_ROLE_FORMAT)
    import pickle

    path = Path(file)
    try:
        config: LogConfig = pickle.loads(log_config)
        return config.initialize_logging(log_dir=path.parent, log_name=path.stem)
    except OSError:
        raise
    except Exception as error:
        raise ConfigurationError(
            f"The LogConfig of Config(initialize_logging=...) cannot start the log {path.stem} in "
            f"{path.parent}: {error!r}. Each process of the run has to be able to import and start it"
        ) from error
