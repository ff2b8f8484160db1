"""Files on a shared disk, which need no transfer."""

from __future__ import annotations

import os

from parsl.data_provider.transfers import TwoWayStaging, after_making_parents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.data_provider.data_manager import DataManager
    from parsl.data_provider.staging import Func
    from parsl.vocabulary.files import File


class NoOpFileStaging(TwoWayStaging):
    """Leaves files in place, on a disk that the driver and the tasks share.

    The directory of a file that a task writes is made if it is missing.
    """

    schemes = ("file",)

    def replace_task_stage_out(self, dm: DataManager, executor: str, file: File, func: Func) -> Func | None:
        """Return a function that first makes the file's directory; None if the directory exists here."""
        directory = os.path.dirname(file.path)
        if not directory or os.path.isdir(directory):
            return None
        return after_making_parents(func, file.path)
