"""The files of one batch job: its script, and what it writes."""

from __future__ import annotations

import os
import re

from parsl.common.rundirs import make_directory
from parsl.vocabulary.provider_errors import ScriptPathError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_SCRIPT_MODE = 0o700  # worker_init may contain what others should not read
_MAX_NAME_CHARS = 180
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_.+-]")


class JobFiles:
    """The paths of the files of one job, beside each other in the run directory.

    Args:
        directory: Where they are; absolute.
        name: The job's name in the scheduler, the stem of all file names.
    """

    def __init__(self, directory: str, name: str) -> None:
        self.directory = directory
        self.name = name

    def __repr__(self) -> str:
        return f"<JobFiles {self.stem}.*>"

    @property
    def stem(self) -> str:
        """All paths without what follows the name."""
        return os.path.join(self.directory, self.name)

    @property
    def script_path(self) -> str:
        """The job script."""
        return f"{self.stem}.sh"

    @property
    def stdout_path(self) -> str:
        """What the job writes to its standard output."""
        return f"{self.stem}.stdout"

    @property
    def stderr_path(self) -> str:
        """What the job writes to its standard error."""
        return f"{self.stem}.stderr"

    @property
    def scheduler_output_path(self) -> str:
        """What the scheduler itself adds, where it does not write to the job's own files."""
        return f"{self.stem}.scheduler"

    @property
    def exit_path(self) -> str:
        """Where the job script writes its exit code when it ends."""
        return f"{self.stem}.exit"

    def signs(self) -> tuple[bool, bool]:
        """Whether the job has left signs of its start, and of its end."""
        return os.path.exists(self.stdout_path), os.path.exists(self.exit_path)

    def write(self, suffix: str, text: str) -> None:
        """Write one of the files.

        Raises:
            ScriptPathError: It cannot be written.
        """
        path = self.stem + suffix
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _SCRIPT_MODE)
            with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as stream:
                stream.write(text)
        except OSError as error:
            raise ScriptPathError(path, error) from error


def open_script_dir(script_dir: str | None) -> str:
    """Make the directory for job scripts, if need be, and return its absolute path.

    Raises:
        ScriptPathError: It is not set, or cannot be made.
    """
    if script_dir is None:
        raise ScriptPathError(
            "(nowhere)",
            "the provider's script_dir is not set. An executor sets it when it starts; "
            "without an executor, set provider.script_dir to a directory first.",
        )
    directory = os.path.abspath(script_dir)
    try:
        make_directory(directory)
    except OSError as error:
        raise ScriptPathError(directory, error) from error
    if "\n" in directory or "\r" in directory:
        raise ScriptPathError(directory, "a directory with a line break in its name cannot be used")
    return directory


def reserve_job_files(directory: str, job_name: str, numbers: Iterator[int]) -> JobFiles:
    """Find a name that is still free, and take it by making an empty script.

    Args:
        directory: Where the files are to be.
        job_name: What the name begins with, made plain.
        numbers: What it goes on with.

    Raises:
        ScriptPathError: The script cannot be made.
    """
    for number in numbers:
        files = JobFiles(directory, f"{plain_job_name(job_name)}.{number}")
        try:
            os.close(os.open(files.script_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _SCRIPT_MODE))
        except FileExistsError:
            continue
        except OSError as error:
            raise ScriptPathError(files.script_path, error) from error
        return files
    raise ScriptPathError(directory, "there is no free name for a job script")


def plain_job_name(job_name: str) -> str:
    """Return a name that all schedulers take: no blanks, a letter first, not too long."""
    plain = _NOT_PLAIN.sub("_", job_name)
    if not plain[:1].isalpha():
        plain = f"j{plain}"
    return plain[:_MAX_NAME_CHARS]
