"""The data of one task."""

from __future__ import annotations

from parsl.vocabulary.task_states import States

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from datetime import datetime
    from typing import Any, Protocol

    from parsl.dataflow.special_arguments import SpecialArguments
    from parsl.vocabulary.data_future import DataFuture
    from parsl.vocabulary.lean_future import LeanFuture

    class Kernel(Protocol):
        """What a task and its future need of their kernel."""

        @property
        def tasks(self) -> Mapping[int, TaskRecord]: ...
        def attempt_ended(self, record: TaskRecord, exec_fu: Future[Any]) -> None: ...
        def check_is_here(self) -> None: ...
        def cancel_task(self, record: TaskRecord, app_fu: LeanFuture[Any]) -> bool: ...
        def submit_part(self, func: Callable[..., Any], whole: Any, part: object) -> Any: ...


class RecordMapping:
    """Makes a task record readable like a dictionary, for plug-ins."""

    __slots__ = ()

    def __getitem__(self, key: str) -> Any:
        moment = _MOMENTS.get(key)
        if moment is not None:
            return _local_time(getattr(self, moment))
        if key not in _KEYS:
            raise KeyError(key)
        value = getattr(self, key)
        if key in _LISTS and type(value) is tuple:
            value = list(value)
            setattr(self, key, value)  # a plug-in may change the list
        return list(value) if key == "fail_history" else value

    def __setitem__(self, key: str, value: Any) -> None:
        if key not in TaskRecord.__slots__:
            raise KeyError(f"{key!r} of a task record cannot be set")
        setattr(self, key, value)

    def get(self, key: str, default: Any = None) -> Any:
        """Return ``record[key]`` if there is such a key."""
        return self[key] if key in _KEYS else default

    def keys(self) -> Sequence[str]:
        """Return the keys of ``record[...]``."""
        return _KEYS

    def __contains__(self, key: object) -> bool:
        return key in _KEYS

    def __iter__(self) -> Iterator[str]:
        return iter(_KEYS)

    def __len__(self) -> int:
        return len(_KEYS)


class TaskRecord(RecordMapping):
    """One task: what to run, its state, and its history.

    Retry handlers, ``std_autopath`` functions and memoizers receive it and may read it like a dictionary:
    ``record["func_name"]``, ``record.get("kwargs")``, ``"id" in record``. The task's kernel changes the
    record under a lock.
    """

    __slots__ = (
        "app_fu",  # the future of the call; None once the task has ended and its payload is dropped
        "args",  # the positional arguments as given, futures included
        "attempt_returned_s",  # when the latest attempt ended, seconds since the epoch
        "depends",  # the futures that the task waits for, done or not
        "dfk",  # the kernel
        "exec_fu",  # the executor's future of the present attempt
        "executor",  # the label of the chosen executor
        "fail_cost",  # the cost of the failed attempts, by the retry handler
        "fail_count",  # the number of failed attempts
        "fail_history",  # the repr of each failed attempt's exception
        "from_memo",  # whether the result came from memoization
        "func",  # the app's function
        "hashsum",  # the identity of the call for memoization
        "id",  # the number of the task, counted from 0
        "ignore_for_cache",  # the names of arguments that do not count for memoization
        "invoked_s",  # when the app was called, seconds since the epoch
        "is_plain",  # whether none of depends, join, memoize, special and try_id has ever been set
        "job_ends",  # the number of attempts that were lost because a batch job ended
        "join",  # whether the task is a call of a join app
        "joins",  # the future or futures that a join app has returned
        "kwargs",  # the keyword arguments as given, futures included
        "launched_s",  # when the latest attempt was submitted to the executor
        "memoize",  # whether memoization applies
        "returned_s",  # when the task ended
        "special",  # SpecialArguments, if the call has any
        "status",  # States
        "try_id",  # the number of the attempt, counted from 0
        "unmet",  # how many futures have to be done before the next step
        "worker_losses",  # the number of attempts during which the worker ended
    )

    def __init__(
        self,
        dfk: Kernel,
        func: Callable[..., Any],
        args: Sequence[Any],
        kwargs: dict[str, Any],
        executor: str,
        invoked_s: float,
    ) -> None:
        self.id = -1
        self.dfk = dfk
        self.func = func
        self.args = args
        self.kwargs = kwargs
        self.executor = executor
        self.status = States.pending
        self.special: SpecialArguments | None = None
        self.app_fu: LeanFuture[Any] | None = None
        self.depends: Sequence[Future[Any]] = ()
        self.unmet = 0
        self.exec_fu: Future[Any] | None = None
        self.invoked_s = invoked_s
        self.launched_s: float | None = None
        self.attempt_returned_s: float | None = None
        self.returned_s: float | None = None
        self.try_id = self.fail_count = self.job_ends = self.worker_losses = 0
        self.fail_cost: float = 0
        self.fail_history: Sequence[str] = ()
        self.join = self.memoize = False
        self.is_plain = True
        self.joins: Future[Any] | list[Future[Any]] | None = None
        self.from_memo: bool | None = None
        self.hashsum: str | None = None
        self.ignore_for_cache: Sequence[str] | None = None

    def __call__(self, exec_fu: Future[Any]) -> None:
        # The record is the callback of its executor's future. A bound method would take 64 bytes more, and a
        # driver may hold millions of records.
        self.dfk.attempt_ended(self, exec_fu)

    @property
    def func_name(self) -> str:
        """The name of the app."""
        name: str = getattr(self.func, "__name__", None) or type(self.func).__name__
        return name

    @property
    def resource_specification(self) -> dict[str, Any]:
        """The ``parsl_resource_specification`` of the call."""
        return {} if self.special is None else self.special.resource_specification

    @property
    def stdout(self) -> Any:
        """What the future shows as ``stdout``."""
        return None if self.special is None else self.special.shown_stdout

    @property
    def stderr(self) -> Any:
        """What the future shows as ``stderr``."""
        return None if self.special is None else self.special.shown_stderr

    @property
    def outputs(self) -> Sequence[DataFuture]:
        """The futures of the call's ``outputs``."""
        return [] if self.special is None else self.special.output_futures

    @property
    def label(self) -> str | None:
        """The ``label`` of the call."""
        return None if self.special is None else self.special.label

    def drop_payload(self) -> None:
        """Release everything large of a task that has ended. What futures show stays."""
        self.args = self.depends = ()
        self.kwargs = {}
        self.app_fu = self.exec_fu = self.joins = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.func_name} {self.status.name} on {self.executor}>"


#: The keys of moments, which are shown as datetimes, and the fields that hold seconds since the epoch.
_MOMENTS = {
    "time_invoked": "invoked_s",
    "time_returned": "returned_s",
    "try_time_launched": "launched_s",
    "try_time_returned": "attempt_returned_s",
}

#: The keys of sequences that plug-ins see as lists.
_LISTS = frozenset({"args", "depends"})

_KEYS = (
    *sorted({*TaskRecord.__slots__} - {*_MOMENTS.values(), "is_plain", "special", "unmet"}),
    *("func_name", "label", "outputs", "resource_specification", "stderr", "stdout"),
    *_MOMENTS,
)


def _local_time(moment_s: float | None) -> datetime | None:
    if moment_s is None:
        return None
    from datetime import datetime

    return datetime.fromtimestamp(moment_s)
