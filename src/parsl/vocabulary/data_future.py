"""The future of a file that a task writes."""

from __future__ import annotations

from concurrent.futures import Future

from parsl.vocabulary import publish
from parsl.vocabulary.files import File
from parsl.vocabulary.lean_future import LeanFuture

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class DataFuture(LeanFuture[File]):
    """The future of a file, done when the task that writes it is. As an argument of an app, a dependency.

    Args:
        fut: The future of the task that writes the file, or of its transfer.
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
        """Finish with the file, or with the parent's exception or cancellation."""
        if parent_fu.cancelled():
            self.set_cancelled()
        elif (error := parent_fu.exception()) is None:
            self.set_result(self.file_obj)
        else:
            self.set_exception(error)

    @property
    def parent(self) -> Future[Any]:
        """The future of the task that writes the file, or of its transfer."""
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
        """The same as :attr:`filepath`, as in upstream; its last part is ``file_obj.filename``."""
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
