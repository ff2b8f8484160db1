"""What providers have in common that bring files in by a download in a task of its own, or in the user's."""

from __future__ import annotations

from functools import partial

from parsl.common.representation import RepresentationMixin
from parsl.data_provider.staged_call import StagedCall
from parsl.data_provider.staging import Staging

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from typing import Any

    from parsl.data_provider.data_manager import DataManager
    from parsl.vocabulary.data_future import DataFuture
    from parsl.vocabulary.files import File

    Download = Callable[[str, str], None]


class _Download(Staging, RepresentationMixin):
    """Brings files in. A subclass says of which schemes, and how: ``download(url, local_path)``."""

    @property
    def download(self) -> Download:
        """The function that does it, where the task runs."""
        raise NotImplementedError

    def can_stage_in(self, file: File) -> bool:
        """Files of its schemes."""
        return file.scheme in self.schemes


class SeparateTaskDownload(_Download):
    """Downloads a file in a task of its own, on the executor of the task that needs it.

    Tasks that ask for a file while it is on its way share one download.
    """

    def stage_in(
        self, dm: DataManager, executor: str, file: File, parent_fut: Future[Any] | None
    ) -> DataFuture | None:
        """Submit the download."""
        path = file.local_path = dm.local_path(file, executor)
        after = [] if parent_fut is None else [parent_fut]
        return dm.fetch_once(
            executor, file, lambda: dm.submit_transfer(self.download, (file.url, path), executor, after)
        )


class InTaskDownload(_Download):
    """Downloads a file in the task that needs it, each time: for disks that belong to one node."""

    def stage_in(
        self, dm: DataManager, executor: str, file: File, parent_fut: Future[Any] | None
    ) -> DataFuture | None:
        """Say where the file will be."""
        file.local_path = dm.local_path(file, executor)
        return None

    def replace_task(
        self, dm: DataManager, executor: str, file: File, func: Callable[..., Any]
    ) -> Callable[..., Any] | None:
        """Have the download done before the function is called."""
        assert file.local_path is not None
        return StagedCall(func, before=[partial(self.download, file.url, file.local_path)])


def wrap_download(
    download: Download, func: Callable[..., Any], file: File, working_dir: str | None
) -> StagedCall:
    """Return a function that downloads a file, sets its ``local_path`` and calls ``func``.

    Args:
        download: What downloads.
        func: The function.
        file: The file.
        working_dir: Where to; None for the current directory.
    """
    import os

    file.local_path = os.path.join(working_dir or "", file.filename)
    return StagedCall(func, before=[partial(download, file.url, file.local_path)])
