"""The future that an app call returns."""

from __future__ import annotations

from parsl.common import pass_on_upstream_names
from parsl.vocabulary.lean_future import LeanFuture

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn, TypeVar

    from parsl.dataflow.taskrecord import TaskRecord
    from parsl.vocabulary.data_future import DataFuture

    R = TypeVar("R")


class AppFuture(LeanFuture["R"]):
    """The future result of an app call.

    ``future[key]`` and ``future.attribute`` are futures of a part of the result, unless the name begins with
    an underscore. All of them can be arguments of further app calls, and be awaited in asyncio.

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
        """The target of the task's standard output, as given in the call; None if there is none.

        For ``AUTO_LOGNAME`` this is the chosen path, for a File a DataFuture.
        """
        return self.task_record.stdout

    @property
    def stderr(self) -> Any:
        """The target of the task's standard error; see :attr:`stdout`."""
        return self.task_record.stderr

    @property
    def outputs(self) -> Sequence[DataFuture]:
        """A DataFuture for each file of the call's ``outputs``."""
        return self.task_record.outputs

    #: Staging plug-ins written for upstream read it: they return ``future._outputs[0]``.
    _outputs = outputs

    def task_status(self) -> str:
        """Return the name of the task's state (see :class:`parsl.vocabulary.task_states.States`)."""
        return self.task_record.status.name

    def cancel(self) -> bool:
        """Cancel the task, if that is still possible.

        A task that waits for its dependencies is cancelled at once. A task that was submitted to an executor
        is cancelled if the executor can do that. A join app stops waiting for the futures it has returned;
        their tasks continue. A cancelled task is not retried, and the tasks that depend on it fail with
        a DependencyError.

        Returns:
            Whether the task is cancelled, by this call or an earlier one. False if it is done, or its
            executor can no longer cancel it.
        """
        return self.task_record.dfk.cancel_task(self.task_record, self)

    def _check_wait(self) -> None:
        if not self.done():
            self.task_record.dfk.check_is_here()

    def __getitem__(self, key: Any) -> AppFuture[Any]:
        part: AppFuture[Any] = self.task_record.dfk.submit_part(deferred_getitem, self, key)
        return part

    def __getattr__(self, name: str) -> AppFuture[Any]:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        part: AppFuture[Any] = self.task_record.dfk.submit_part(deferred_getattr, self, name)
        return part

    def __iter__(self) -> NoReturn:
        # Without this method, iteration would request future[0], future[1], ... without end.
        raise TypeError(
            f"{self!r} cannot be iterated over: the number of items in its result is not known yet. "
            "Iterate over .result(), or take items as futures: future[0], future[1]"
        )

    def _refuse_operator(self, *_: object) -> NoReturn:
        raise TypeError(
            f"{self!r} cannot be used with an operator such as + or <: its result is not known yet. Pass the "
            "future to an app that uses the operator, or use the operator on its result()"
        )

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{self!r} cannot be pickled: it belongs to this process. If it is inside an argument of an app, "
            "pass it as an argument of its own or in `inputs`, or configure "
            "dependency_resolver=DEEP_DEPENDENCY_RESOLVER, which finds futures in containers; otherwise "
            "pass its result()"
        )

    def __repr__(self) -> str:
        record = self.task_record
        return f"<{type(self).__name__} task {record.id} {record.func_name} {self._outcome()}>"


#: The operators of numbers, strings and sets, except those that test for equality.
_BINARY_OPERATORS = (
    "add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "divmod", "pow", "lshift", "rshift", "and",
    "xor", "or",
)  # fmt: skip
_OTHER_OPERATORS = ("neg", "pos", "abs", "invert", "lt", "le", "gt", "ge")

# Set here, so that type checkers do not know them, and refuse the operators, too.
for _name in (*_BINARY_OPERATORS, *(f"r{name}" for name in _BINARY_OPERATORS), *_OTHER_OPERATORS):
    setattr(AppFuture, f"__{_name}__", AppFuture._refuse_operator)


def deferred_getitem(o: Any, k: Any) -> Any:
    """Return ``o[k]``."""
    return o[k]


def deferred_getattr(o: Any, name: str) -> Any:
    """Return the attribute ``name`` of ``o``."""
    return getattr(o, name)


pass_on_upstream_names(__name__)
