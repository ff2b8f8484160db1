"""Where a task's standard output and error go if the kernel is to choose."""

from __future__ import annotations

import os

from parsl.common.rundirs import make_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.dataflow.taskrecord import TaskRecord

_TASKS_PER_DIRECTORY = 10_000


def open_directory(path: str) -> None:
    """Make the directory of a stream's file, to which others cannot write: links there would lead astray.

    Where it cannot be made, the task says so.
    """
    try:
        make_directory(os.path.dirname(path))
    except OSError:
        pass


def autopath(run_dir: str, record: TaskRecord, stream: str) -> str:
    """Return the path for one stream of a task, below the run directory.

    Args:
        run_dir: The run directory.
        record: The task.
        stream: ``"stdout"`` or ``"stderr"``.
    """
    name = f"task_{record.id:04d}_{record.func_name}"
    if record.label is not None:
        name += f"_{record.label}"
    directory = f"{record.id // _TASKS_PER_DIRECTORY:04d}"
    return os.path.join(run_dir, "task_logs", directory, f"{name.replace(os.sep, '_')}.{stream}")
