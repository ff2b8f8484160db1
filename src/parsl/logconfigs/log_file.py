"""Files that logs are written to, by the driver and by the processes that it starts."""

from __future__ import annotations

import logging
import os
import sys
from io import TextIOWrapper

from parsl.common.rundirs import for_the_user

#: How the processes of an executor write their records.
ROLE_FORMAT = "%(asctime)s %(name)s:%(lineno)d %(levelname)s: %(message)s"


class LogFile(logging.FileHandler):
    """Appends to a file. A disk that is full costs records, and one line on stderr; never the run.

    Args:
        file: Path of the file; its directory must be there.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(self, file: str | os.PathLike[str]) -> None:
        super().__init__(file, encoding="utf-8")
        self._has_complained = False

    def _open(self) -> TextIOWrapper:
        file = open(self.baseFilename, self.mode, encoding=self.encoding, opener=for_the_user)  # noqa: SIM115
        assert isinstance(file, TextIOWrapper)
        return file

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            self._complain(error)
        else:
            super().handleError(record)

    def close(self) -> None:
        try:
            super().close()
        except OSError as error:
            self._complain(error)

    def _complain(self, error: OSError) -> None:
        if self._has_complained:
            return
        self._has_complained = True
        try:
            sys.stderr.write(
                f"parsl: the log {self.baseFilename} cannot be written ({error.strerror or error}): "
                "records are missing from it from here on; the run goes on.\n"
            )
        except (OSError, ValueError, AttributeError):
            pass  # stderr is a file on the same disk, closed, or not there


def start_role_log(logger_name: str, file: str | os.PathLike[str], *, is_debug: bool) -> None:
    """Have a process of an executor write its log to a file.

    Args:
        logger_name: The logger that its modules share.
        file: Path of the file; its directory must be there.
        is_debug: Whether to write everything; otherwise from INFO on.

    Raises:
        OSError: The file cannot be opened.
    """
    handler = LogFile(file)
    handler.setFormatter(logging.Formatter(ROLE_FORMAT))
    logger = logging.getLogger(logger_name)
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if is_debug else logging.INFO)
