"""What a run needs before its first task: a name, a directory, a log."""

from __future__ import annotations

import os

from parsl.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from parsl.config import Config


def new_run_id() -> str:
    """Return a random UUID (version 4), written as usual. (The uuid module is slow to import.)"""
    number = int.from_bytes(os.urandom(16), "big")
    number = number & ~(0xF << 76) | (0x4 << 76)
    number = number & ~(0x3 << 62) | (0x2 << 62)
    text = f"{number:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def new_run_dir(parent: str) -> str:
    """Make a directory for a run; returns its absolute path.

    Raises:
        ConfigurationError: It cannot be made.
    """
    from parsl.common.rundirs import make_rundir

    try:
        return os.path.abspath(make_rundir(parent))
    except OSError as error:
        raise ConfigurationError(
            f"Config: run_dir is {os.fspath(parent)!r}; no directory for this run can be made in "
            f"{os.path.abspath(parent)}: {error.strerror or error}. Name one that you may write to, "
            "Config(run_dir=...), or start the script in such a directory"
        ) from error


def log_config_of(config: Config) -> Any | None:
    """Return how to log, None for not at all."""
    if isinstance(config.initialize_logging, bool):
        if not config.initialize_logging:
            return None
        from parsl.logconfigs.file import FileLogging

        return FileLogging()
    return config.initialize_logging


def start_usage_tracking(config: Config, run_dir: str) -> Callable[[int, int], None]:
    """Begin to gather what the configuration allows.

    Returns:
        A function that ends it, to be called with the numbers of tasks and of failed ones.
    """
    if config.usage_tracking == 0:
        return lambda task_count, failed_count: None
    from parsl.usage_tracking.usage import UsageTracker

    return UsageTracker(config.usage_tracking, config, config.project_name, run_dir).end


def start_logging(log_config: Any | None, run_dir: str) -> Callable[[], None]:
    """Start this process's log of the run; returns a function that ends it."""
    from parsl.logconfigs.handlers import silence_parsl

    silence_parsl()
    if log_config is None:
        return lambda: None
    from pathlib import Path

    end: Callable[[], None] = log_config.initialize_logging(log_dir=Path(run_dir), log_name="parsl")
    return end
