"""The future that an app call returns."""

from __future__ import annotations

from parsl.vocabulary.lean_future import LeanFuture

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn, TypeVar

    from parsl.dataflow.taskrecord import TaskRecord
    from parsl.vocabulary.data_future import DataFuture

    R = TypeVar("R")


class AppFuture(LeanFuture["R"]):
    """The result of an app call, once there is one.

    ``future[key]`` and ``future.attribute`` are futures of a part of the result; names that begin with
    an underscore are not. All of them can be arguments of further app calls, and be awaited in asyncio.

    Args:
        task_record: The task that produces the result.
    """

    __slots__ = ("task_record",)

    def __init__(self, task_record: TaskRecord) -> None:
        self._state = "PENDING"
        self._result = None
        self._exception = None
        self._cond = None
        self._done_callbacks = None
        self.task_record = task_record

    @property
    def tid(self) -> int:
        """The number of the task, counted from 0 in its kernel."""
        return self.task_record.id

    @property
    def stdout(self) -> Any:
        """Where the task's standard output goes, as it was given; None if nowhere.

        For ``AUTO_LOGNAME`` the path that was chosen, for a File a DataFuture.
        """
        return self.task_record.stdout

    @property
    def stderr(self) -> Any:
        """Where the task's standard error goes; see :attr:`stdout`."""
        return self.task_record.stderr

    @property
    def outputs(self) -> Sequence[DataFuture]:
        """A DataFuture for each file of the call's ``outputs``."""
        return self.task_record.outputs

    def task_status(self) -> str:
        """Return the name of the state the task is in (see :class:`parsl.vocabulary.task_states.States`)."""
        return self.task_record.status.name

    def cancel(self) -> bool:
        """Cancel the task, if that is still possible.

        A task that waits for its dependencies is cancelled at once. One that was given to an executor
        is cancelled if the executor can do that. A join app that waits for the futures it returned
        stops waiting; these themselves go on. A cancelled task is not tried again, and what depends on
        it fails with a DependencyError.

        Returns:
            Whether the task is cancelled (now, or since earlier). False if it is done, or its executor
            cannot cancel it any more.
        """
        return self.task_record.dfk.runner.cancel(self.task_record, self)

    def _check_wait(self) -> None:
        if not self.done():
            self.task_record.dfk.check_is_here()

    def __getitem__(self, key: Any) -> AppFuture[Any]:
        return self.task_record.dfk.submit_part(deferred_getitem, self, key)

    def __getattr__(self, name: str) -> AppFuture[Any]:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return self.task_record.dfk.submit_part(deferred_getattr, self, name)

    def __iter__(self) -> NoReturn:
        # Without this, iterating would ask for future[0], future[1], ... and never end.
        raise TypeError(
            f"{self!r} cannot be iterated over: how many items its result has is not known yet. "
            "Iterate over .result(), or take items as futures: future[0], future[1]"
        )

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{self!r} cannot be pickled: it lives in this process. If it is inside an argument of an app, "
            "pass it as an argument of its own or in `inputs`, or configure "
            "dependency_resolver=DEEP_DEPENDENCY_RESOLVER, which finds futures in containers; otherwise "
            "pass its result()"
        )

    def __repr__(self) -> str:
        record = self.task_record
        return f"<{type(self).__name__} task {record.id} {record.func_name} {self._outcome()}>"


def deferred_getitem(o: Any, k: Any) -> Any:
    """Return ``o[k]``."""
    return o[k]


def deferred_getattr(o: Any, name: str) -> Any:
    """Return the attribute ``name`` of ``o``."""
    return getattr(o, name)
