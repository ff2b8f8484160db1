"""Show Parsl's log on a stream, or write it to a file."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable

from parsl.logconfigs.file import DEFAULT_FORMAT
from parsl.logconfigs.handlers import LogFile, attach

#: Shorter than the format of a file, for people who watch the stream.
_STREAM_FORMAT = "%(asctime)s %(name)s:%(lineno)d [%(levelname)s] %(message)s"


def set_stream_logger(
    name: str = "parsl",
    level: int = logging.DEBUG,
    format_string: str | None = None,
    stream: io.TextIOBase | None = None,
) -> Callable[[], None]:
    """Show a logger's records on a stream.

    Args:
        name: The logger.
        level: The lowest level to show.
        format_string: The format of a record, as for :class:`logging.Formatter`.
        stream: The stream; None means stderr.

    Returns:
        A function that ends the logging, and leaves the stream open.
    """
    handler = logging.StreamHandler(stream)
    return attach(handler, logger_name=name, level=level, format_string=format_string or _STREAM_FORMAT)


def set_file_logger(
    filename: str, name: str = "parsl", level: int = logging.DEBUG, format_string: str | None = None
) -> Callable[[], None]:
    """Append a logger's records to a file, each of them immediately.

    Args:
        filename: The path of the file.
        name: The logger.
        level: The lowest level to write.
        format_string: The format of a record, as for :class:`logging.Formatter`.

    Returns:
        A function that ends the logging, and closes the file.

    Raises:
        OSError: The file cannot be opened.
    """
    handler = LogFile(filename)
    return attach(handler, logger_name=name, level=level, format_string=format_string or DEFAULT_FORMAT)
