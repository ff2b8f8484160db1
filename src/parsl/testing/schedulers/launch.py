"""How a job is started: its script, its files, its output while it runs and afterwards."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import NamedTuple

#: Signals that Python or a parent process may ignore; a job must not inherit that.
_RESET_SIGNALS = (
    signal.SIGPIPE, signal.SIGCHLD, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM,
)  # fmt: skip


class LaunchPlan(NamedTuple):
    """What a runner needs to start a job."""

    program: str
    arguments: tuple[str, ...]
    stdin_text: str
    environment: dict[str, str]
    workdir: str
    #: The files of the output while the job runs.
    stdout: str
    stderr: str
    #: Files that are copied at the end of the job: from, to.
    deliveries: tuple[tuple[str, str], ...] = ()
    #: Files with their texts that exist while the job runs.
    files: tuple[tuple[str, str], ...] = ()
    #: The script and its text: an executable file that stays after the job.
    script: tuple[str, str] = ("", "")
    #: Directories that exist while the job runs.
    directories: tuple[str, ...] = ()

    def prepare(self) -> None:
        for directory in self.directories:
            os.makedirs(directory, mode=0o700, exist_ok=True)
        stdin = (self._stdin_path, self.stdin_text)
        for path, text in (*self.files, self.script, stdin, (self.stdout, ""), (self.stderr, "")):
            with open(path, "w") as file:
                file.write(text)
        os.chmod(self.script[0], 0o700)

    def execute(self, no_shell_status: int) -> None:
        """Turn this process, just forked, into the job's shell, or exit with ``no_shell_status``."""
        try:
            os.setsid()
            os.chdir(self.workdir)
            self._redirect()
            signal.set_wakeup_fd(-1)
            for number in _RESET_SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            os.execve(self.program, self.arguments, self.environment)
        except OSError as error:
            os.write(2, f"{self.program}: {error.strerror}\n".encode())
        finally:
            os._exit(no_shell_status)

    def _redirect(self) -> None:
        stdin = os.open(self._stdin_path, os.O_RDONLY)
        stdout = os.open(self.stdout, os.O_WRONLY | os.O_APPEND)
        stderr = os.open(self.stderr, os.O_WRONLY | os.O_APPEND)
        for descriptor, source in ((0, stdin), (1, stdout), (2, stderr)):
            os.dup2(source, descriptor)

    def deliver(self) -> bool:
        """Copy the output to its final place, whose directory must exist; return whether that succeeded."""
        delivered = True
        for spooled, target_path in self.deliveries:
            try:
                with open(spooled, "rb") as source, open(target_path, "wb") as target:
                    while block := source.read(1 << 20):
                        target.write(block)
            except OSError:
                delivered = False
        return delivered

    def clear(self) -> None:
        """Remove what exists only while the job runs."""
        spooled = [path for path, _ in self.deliveries]
        for path in (*spooled, *(path for path, _ in self.files), self._stdin_path):
            with suppress(OSError):
                os.unlink(path)
        if self.directories:
            from shutil import rmtree

            for directory in self.directories:
                rmtree(directory, ignore_errors=True)

    @property
    def _stdin_path(self) -> str:
        return self.script[0] + ".stdin"
