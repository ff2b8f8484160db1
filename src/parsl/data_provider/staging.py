"""The interface of staging providers, which move files to tasks and back."""

from __future__ import annotations

from parsl.common import pass_on_upstream_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future
    from typing import Any

    from parsl.data_provider.data_manager import DataManager
    from parsl.vocabulary.data_future import DataFuture
    from parsl.vocabulary.files import File

    Func = Callable[..., Any]


class Staging:
    """Moves files of certain schemes. Subclass it to support another way of moving files.

    An executor's ``storage_access`` is a list of staging providers. For each File among a task's arguments,
    Parsl uses the first provider whose :meth:`can_stage_in` returns True: it calls the provider's
    :meth:`stage_in`, then :meth:`replace_task`. Files that a task writes are handled likewise. A provider
    can move a file in two ways, or combine them:

    - in a separate task before or after the user's task: ``stage_in`` and ``stage_out`` submit a transfer
      (:meth:`DataManager.submit_transfer <parsl.data_provider.data_manager.DataManager.submit_transfer>`)
      and return its future;
    - within the user's task, where it runs: ``replace_task`` and ``replace_task_stage_out`` return a
      function that moves the file and calls the user's function.

    In both cases ``stage_in`` and ``stage_out`` set ``file.local_path``, the path at which the user's
    function reads or writes the file. The File that they get is a copy that belongs to this task alone.
    All methods are called in the driver, from any thread, and must not wait for the transfer.

    Methods that are not overridden do nothing.
    """

    #: The schemes that the provider supports, as far as known. Error messages list them.
    schemes: Sequence[str] = ()

    def can_stage_in(self, file: File) -> bool:
        """Return whether this provider can move ``file`` to a task."""
        return False

    def can_stage_out(self, file: File) -> bool:
        """Return whether this provider can move what a task has written to ``file``."""
        return False

    def stage_in(
        self, dm: DataManager, executor: str, file: File, parent_fut: Future[Any] | None
    ) -> DataFuture | None:
        """Start to move a file to where a task runs.

        Args:
            dm: Gives access to the kernel and its executors.
            executor: The label of the task's executor.
            file: The file. This method sets its ``local_path``.
            parent_fut: Completes when the file exists and can be copied; None if the file exists already.

        Returns:
            The future that the task has to wait for; None if it only has to wait for ``parent_fut``.
        """
        return None

    def stage_out(
        self, dm: DataManager, executor: str, file: File, app_fu: Future[Any]
    ) -> Future[Any] | None:
        """Start to move a file from where a task writes it.

        Args:
            dm: Gives access to the kernel and its executors.
            executor: The label of the task's executor.
            file: The file. This method sets its ``local_path``.
            app_fu: The future of the task.

        Returns:
            The future that completes when the file is in place; None if that is the task's future.
        """
        return None

    def replace_task(
        self, dm: DataManager, executor: str, file: File, func: Callable[..., Any]
    ) -> Callable[..., Any] | None:
        """Return a function that stages ``file`` in and calls ``func``; None to keep ``func``."""
        return None

    def replace_task_stage_out(
        self, dm: DataManager, executor: str, file: File, func: Callable[..., Any]
    ) -> Callable[..., Any] | None:
        """Return a function that calls ``func`` and stages ``file`` out; None to keep ``func``."""
        return None


pass_on_upstream_names(__name__)
