"""Where in Python a worker was when it crashed: the dying worker writes it to memory, its parent reads it."""

from __future__ import annotations

import faulthandler
import os
import signal

#: The signals that Python can still report.
CRASHES = frozenset({signal.SIGSEGV, signal.SIGFPE, signal.SIGABRT, signal.SIGBUS, signal.SIGILL})
#: How much of a report is kept, in bytes: its beginning names the thread that crashed.
MAX_BYTES = 4000
_NO_FILE = -1


class CrashReports:
    """The report files (memfd_create(2)) of the living workers. Owned by the fork server's loop."""

    def __init__(self) -> None:
        self._files: dict[int, int] = {}

    def __repr__(self) -> str:
        return f"<CrashReports of {len(self._files)} workers>"

    def create(self) -> int:
        """Create the file of a worker that is about to be forked. Return its descriptor; -1 for none."""
        try:
            return os.memfd_create("parsl-crash-report", os.MFD_CLOEXEC)
        except (AttributeError, OSError):  # not Linux, or out of descriptors: go without
            return _NO_FILE

    def become_worker(self, file: int) -> None:
        """In the worker: report crashes to its file, and close the files of the others."""
        for other in self._files.values():
            os.close(other)
        self._files.clear()
        if file != _NO_FILE:
            faulthandler.enable(file)

    def keep(self, worker: int, file: int) -> None:
        if file != _NO_FILE:
            self._files[worker] = file

    def take(self, worker: int, exit_code: int) -> str:
        """Close the file of a worker that has ended. Return its report; empty if the worker did not crash."""
        file = self._files.pop(worker, _NO_FILE)
        if file == _NO_FILE:
            return ""
        try:
            # Where the worker itself did not crash, a report is that of a child which did.
            report = os.pread(file, MAX_BYTES, 0) if -exit_code in CRASHES else b""
        except OSError:
            report = b""
        finally:
            os.close(file)
        return _shortened(report.decode(errors="replace"))


def _shortened(report: str) -> str:
    """Remove the lines that are the same in every report."""
    own = os.path.dirname(os.path.dirname(__file__))
    noise = (own, 'File "<string>"')
    lines = [line for line in report.splitlines() if not any(text in line for text in noise)]
    return "\n".join(line for line in lines if not line.startswith("Extension modules:")).strip()
