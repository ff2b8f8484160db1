"""The interface of what moves files to tasks and back."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future
    from typing import Any

    from parsl.data_provider.data_manager import DataManager
    from parsl.vocabulary.data_future import DataFuture
    from parsl.vocabulary.files import File


class Staging:
    """Moves files of some schemes. This is the class to extend for another way to move files.

    An executor's ``storage_access`` is a list of these. For each File that is an argument of a task, the
    first that says :meth:`can_stage_in` is asked to :meth:`stage_in`, and then to :meth:`replace_task`;
    likewise for the files a task writes. So there are two ways to move a file, and a class may use both:

    - in a task of its own, before or after the user's: ``stage_in`` and ``stage_out`` submit one
      (:meth:`DataManager.submit_transfer <parsl.data_provider.data_manager.DataManager.submit_transfer>`)
      and return its future;
    - in the user's task, where it runs: ``replace_task`` and ``replace_task_stage_out`` return a function
      that does it and calls the user's.

    Either way ``stage_in`` and ``stage_out`` set ``file.local_path``, the path at which the user's function
    finds or writes the file. The File that they get is a copy, of this task's own. All of it is called in
    the driver, by any thread, and must not wait for the transfer.

    Whatever is not overridden does nothing.
    """

    #: The schemes it is for, as far as known: error messages list them.
    schemes: Sequence[str] = ()

    def can_stage_in(self, file: File) -> bool:
        """Whether this can bring ``file`` to a task."""
        return False

    def can_stage_out(self, file: File) -> bool:
        """Whether this can bring what a task has written to ``file``."""
        return False

    def stage_in(
        self, dm: DataManager, executor: str, file: File, parent_fut: Future[Any] | None
    ) -> DataFuture | None:
        """Have a file brought to where a task runs.

        Args:
            dm: What knows the kernel and its executors.
            executor: The label of the task's executor.
            file: The file; its ``local_path`` is to be set.
            parent_fut: What has to be done before the file is there to be copied; None if it is there.

        Returns:
            What the task has to wait for; None: it need not, apart from ``parent_fut``.
        """
        return None

    def stage_out(
        self, dm: DataManager, executor: str, file: File, app_fu: Future[Any]
    ) -> Future[Any] | None:
        """Have a file brought from where a task has written it.

        Args:
            dm: What knows the kernel and its executors.
            executor: The label of the task's executor.
            file: The file; its ``local_path`` is to be set.
            app_fu: The future of the task.

        Returns:
            What has to be done for the file to be there; None: the task.
        """
        return None

    def replace_task(
        self, dm: DataManager, executor: str, file: File, func: Callable[..., Any]
    ) -> Callable[..., Any] | None:
        """Return the function to call in the place of ``func``, to bring in ``file``; None: no other."""
        return None

    def replace_task_stage_out(
        self, dm: DataManager, executor: str, file: File, func: Callable[..., Any]
    ) -> Callable[..., Any] | None:
        """Return the function to call in the place of ``func``, to bring out ``file``; None: no other."""
        return None
