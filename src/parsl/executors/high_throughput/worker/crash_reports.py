"""Where in Python a worker was when it crashed: written by the dying worker into memory, read by its parent.

The traceback of a crash goes to a file of the worker's own that has no name (memfd_create(2)): what is shown
with a task's error is then that worker's alone, wherever the job's output goes.
"""

from __future__ import annotations

import faulthandler
import os
import signal

#: The signals of which Python can still tell.
CRASHES = frozenset({signal.SIGSEGV, signal.SIGFPE, signal.SIGABRT, signal.SIGBUS, signal.SIGILL})
#: How much of a report is passed on, in bytes: its beginning names the thread that crashed.
MAX_BYTES = 4000
_NO_FILE = -1


class CrashReports:
    """Owns the files of the living workers. Belongs to the fork server's loop."""

    def __init__(self) -> None:
        self._files: dict[int, int] = {}

    def __repr__(self) -> str:
        return f"<CrashReports of {len(self._files)} workers>"

    def prepare(self) -> int:
        """Make the file of a worker that is about to be forked. Returns: its descriptor; -1 for none."""
        try:
            return os.memfd_create("parsl-crash-report", os.MFD_CLOEXEC)
        except (AttributeError, OSError):  # not Linux, or no descriptor is left: it does without
            return _NO_FILE

    def become_worker(self, file: int) -> None:
        """In the worker: report crashes to its file, and let go of the others' files."""
        for other in self._files.values():
            os.close(other)
        self._files.clear()
        if file != _NO_FILE:
            faulthandler.enable(file)

    def started(self, worker: int, file: int) -> None:
        """The worker is there: keep its file."""
        if file != _NO_FILE:
            self._files[worker] = file

    def ended(self, worker: int, exit_code: int) -> str:
        """The worker has ended.

        Args:
            worker: Its process id.
            exit_code: Negative for a signal.

        Returns:
            What it has written of its crash; empty if it was none.
        """
        file = self._files.pop(worker, _NO_FILE)
        if file == _NO_FILE:
            return ""
        try:
            # A child of its may have crashed before: that is another story.
            report = os.pread(file, MAX_BYTES, 0) if -exit_code in CRASHES else b""
        except OSError:
            report = b""
        finally:
            os.close(file)
        return _shortened(report.decode(errors="replace"))


def _shortened(report: str) -> str:
    """A report without the lines that are the same in every one."""
    lines = report.splitlines()
    own = os.path.dirname(os.path.dirname(__file__))
    return "\n".join(line for line in lines if own not in line and not _is_noise(line)).strip()


def _is_noise(line: str) -> bool:
    return line.startswith("Extension modules:") or 'File "<string>"' in line
