"""Files that are where they are needed."""

from __future__ import annotations

import os
from functools import partial

from parsl.common.representation import RepresentationMixin
from parsl.data_provider.staged_call import StagedCall, make_parents
from parsl.data_provider.staging import Staging

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from parsl.data_provider.data_manager import DataManager
    from parsl.vocabulary.files import File


class NoOpFileStaging(Staging, RepresentationMixin):
    """For files on a disk that the driver and the tasks share: they stay where they are.

    The directory of a file that a task writes is made if it is missing.
    """

    schemes = ("file",)

    def can_stage_in(self, file: File) -> bool:
        """Files on disk."""
        return file.scheme == "file"

    def can_stage_out(self, file: File) -> bool:
        """Files on disk."""
        return file.scheme == "file"

    def replace_task_stage_out(
        self, dm: DataManager, executor: str, file: File, func: Callable[..., Any]
    ) -> Callable[..., Any] | None:
        """Have the directory made, where the task runs, if it is not here."""
        directory = os.path.dirname(file.path)
        if not directory or os.path.isdir(directory):
            return None
        return StagedCall(func, before=[partial(make_parents, file.path)])
