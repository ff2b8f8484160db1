"""The files of one job: its script, and its output."""

from __future__ import annotations

import os
from collections.abc import Iterator

from parsl.common.rundirs import make_directory
from parsl.vocabulary.provider_errors import ScriptPathError

_SCRIPT_MODE = 0o700  # worker_init may contain secrets


class JobFiles:
    """The paths of the files of one job, next to each other in the run directory.

    The job's name in the scheduler is the stem of all file names.
    """

    def __init__(self, directory: str, name: str) -> None:
        self.directory = directory
        self.name = name
        self.stem = os.path.join(directory, name)
        self.script_path = f"{self.stem}.sh"
        self.stdout_path = f"{self.stem}.stdout"
        self.stderr_path = f"{self.stem}.stderr"
        #: The output of the scheduler itself, if it does not write to the job's own files.
        self.scheduler_output_path = f"{self.stem}.scheduler"
        #: The job script writes its exit code to this file when it ends.
        self.exit_path = f"{self.stem}.exit"

    def progress(self) -> tuple[bool, bool]:
        """Return whether the files show that the job has started, and that it has ended."""
        return os.path.exists(self.stdout_path), os.path.exists(self.exit_path)

    def write(self, suffix: str, text: str) -> None:
        path = self.stem + suffix
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _SCRIPT_MODE)
            with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as stream:
                stream.write(text)
        except OSError as error:
            raise ScriptPathError(path, error) from error


def open_script_dir(script_dir: str | None) -> str:
    """Make the directory for job scripts if it is missing, and return its absolute path."""
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
    return directory


def reserve_job_files(directory: str, name: str, numbers: Iterator[int]) -> JobFiles:
    """Reserve the first free name with one of the numbers, by making an empty script of that name."""
    for number in numbers:
        files = JobFiles(directory, f"{name}.{number}")
        try:
            os.close(os.open(files.script_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _SCRIPT_MODE))
        except FileExistsError:
            continue
        except OSError as error:
            raise ScriptPathError(files.script_path, error) from error
        return files
    raise ScriptPathError(directory, "there is no free name for a job script")
