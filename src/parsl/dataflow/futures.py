"""The future that an app call returns."""

from __future__ import annotations

from types import MethodType

from parsl.common import pass_on_upstream_names
from parsl.dataflow.taskrecord import TaskRecord
from parsl.vocabulary.kept_value import KeptValue
from parsl.vocabulary.lean_future import LeanFuture

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Future
    from typing import Any, NoReturn, TypeVar

    from parsl.vocabulary.data_future import DataFuture
    from parsl.vocabulary.lean_future import Callbacks

    R = TypeVar("R")


class AppFuture(LeanFuture["R"]):
    """The future result of an app call.

    ``future[key]`` and ``future.attribute`` are futures of a part of the result, unless the name begins with
    an underscore. All of them can be arguments of further app calls, and be awaited in asyncio.

    A result may have stayed in the engine of its executor: as a KeptValue, until it is fetched. ``result()``
    fetches it. So do callbacks, which run when it is there; those of the kernel run at once, because
    a dependent task may not need the value here. ``exception()`` does not fetch: it is None for a task that
    has succeeded.

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
            Whether the task is cancelled, by this call or an earlier one; another thread may still be
            completing its future. False if it is done, or its executor can no longer cancel it.
        """
        return self.task_record.dfk.cancel_task(self.task_record, self)

    def _check_wait(self) -> None:
        if not self.done():
            self.task_record.dfk.check_is_here()

    def _open(self, kept: KeptValue, timeout: float | None) -> Any:
        fetched = kept.fetch()
        fetched.exception(timeout)
        self._take_fetched(fetched)
        return fetched.result()

    def _take_fetched(self, fetched: Future[Any]) -> None:
        # Another thread may do the same at the same time. A result that cannot be fetched stays a KeptValue,
        # so that a reader that has seen no exception meets the one of the fetch.
        error = fetched.exception()
        if error is None:
            self._result = fetched.result()
        else:
            self._exception = error

    def open_then(self, function: Callable[[Future[Any]], object]) -> None:
        """Call ``function(self)`` when a result that has stayed elsewhere is here, without waiting for it."""
        kept: object = self._result
        if type(kept) is not KeptValue:
            function(self)
            return

        def opened(fetched: Future[Any]) -> None:
            self._take_fetched(fetched)
            function(self)

        kept.fetch().add_done_callback(opened)

    def _run_callbacks(self, callbacks: Callbacks) -> None:
        if type(self._result) is not KeptValue:
            LeanFuture._run_callbacks(self, callbacks)
        elif type(callbacks) is list:
            for callback in callbacks:
                self._run_callbacks(callback)
        elif type(_owner(callbacks)) is TaskRecord:
            LeanFuture._run_callbacks(self, callbacks)
        else:
            self.open_then(lambda _: LeanFuture._run_callbacks(self, callbacks))

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


def unopened(future: Future[Any]) -> Any:
    """Return the result of a future that is done, without fetching one that has stayed elsewhere."""
    kept = _kept_by(future)
    return future.result() if kept is None else kept


def kept_among(futures: Iterable[Future[Any]]) -> list[AppFuture[Any]]:
    """Return those futures, all of which are done, whose results are not here."""
    return [future for future in futures if _kept_by(future) is not None]  # type: ignore[misc]


def _kept_by(future: Future[Any]) -> KeptValue | None:
    if not issubclass(type(future), AppFuture) or future._exception is not None:
        return None
    result: object = future._result
    return result if type(result) is KeptValue else None


def _owner(callback: Any) -> object:
    return callback.__self__ if type(callback) is MethodType else callback


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
