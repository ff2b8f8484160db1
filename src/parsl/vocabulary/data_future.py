"""The future of a file that a task writes."""

from __future__ import annotations

from concurrent.futures import CancelledError, Future

from parsl.vocabulary import publish
from parsl.vocabulary.files import File
from parsl.vocabulary.lean_future import LeanFuture

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class DataFuture(LeanFuture[File]):
    """A file, once the task that writes it is done. As an argument of an app it is a dependency.

    Args:
        fut: What has to be done for the file to be there.
        file_obj: The file.
        tid: The task that writes it.
    """

    __slots__ = ("_parent", "_tid", "file_obj")

    def __init__(self, fut: Future[Any], file_obj: File, tid: int) -> None:
        super().__init__()
        self.file_obj = file_obj
        self._parent = fut
        self._tid = tid
        fut.add_done_callback(self.parent_callback)

    def parent_callback(self, parent_fu: Future[Any]) -> None:
        """Be done as the parent is: with the file, or with what went wrong."""
        try:
            error = parent_fu.exception()
        except CancelledError:
            self.set_cancelled()
            return
        if error is None:
            self.set_result(self.file_obj)
        else:
            self.set_exception(error)

    @property
    def parent(self) -> Future[Any]:
        """What this waits for: the task that writes the file, or its transfer."""
        return self._parent

    @property
    def tid(self) -> int:
        """The number of the task that writes the file."""
        return self._tid

    @property
    def filepath(self) -> str:
        """The local path of the file."""
        return self.file_obj.filepath

    @property
    def filename(self) -> str:
        """The local path of the file, as :attr:`filepath` is: upstream means that by it.

        The last part of it is ``file_obj.filename``.
        """
        return self.filepath

    def cancel(self) -> bool:
        """Cancel the task that writes the file; see :meth:`AppFuture.cancel`."""
        return self._parent.cancel()

    def running(self) -> bool:
        """Whether the task that writes the file is known to be executing."""
        return self._parent.running()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of task {self._tid} {self.file_obj.url} {self._outcome()}>"


publish(globals(), "parsl.app.futures")
