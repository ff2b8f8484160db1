"""What the kernel knows about one task."""

from __future__ import annotations

from parsl.vocabulary.task_states import States

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from datetime import datetime
    from typing import Any

    from parsl.dataflow.dflow import DataFlowKernel
    from parsl.dataflow.futures import AppFuture
    from parsl.dataflow.special_arguments import SpecialArguments
    from parsl.vocabulary.data_future import DataFuture


class TaskRecord:
    """One task: what to run, where it stands, how it went so far.

    Retry handlers, ``std_autopath`` functions and memoizers are given one and may read it like a
    dictionary: ``record["func_name"]``, ``record.get("kwargs")``, ``"id" in record``. The kernel that
    owns it changes it under its lock.

    A running workflow holds very many of these, so a field that most tasks never use takes no time
    to set: reading one that was not set gives its entry in :data:`_DEFAULTS`.
    """

    __slots__ = (
        "app_fu",  # AppFuture of the call; None once the task is wiped
        "args",  # positional arguments as given, futures included
        "attempt_returned_s",  # when the latest attempt ended, seconds since the epoch
        "depends",  # futures the task waits for, done or not
        "dfk",  # the kernel
        "exec_fu",  # the executor's future of the attempt under way
        "executor",  # label of the chosen executor
        "fail_cost",  # what the failed attempts cost, by the retry handler
        "fail_count",  # failed attempts
        "fail_history",  # repr of the exception of each failed attempt
        "from_memo",  # whether the result came from memoization
        "func",  # what the executor is to call
        "hashsum",  # identity for memoization
        "id",  # number of the task, counted from 0
        "ignore_for_cache",  # names of arguments that do not matter for memoization
        "invoked_s",  # when the app was called, seconds since the epoch
        "job_ends",  # attempts that were lost to the end of a batch job
        "join",  # whether it is a join app
        "joins",  # the future or futures a join app has returned
        "kwargs",  # keyword arguments as given, futures included
        "launched_s",  # when the latest attempt was given to the executor
        "memoize",  # whether memoization applies
        "returned_s",  # when the task was finished
        "special",  # SpecialArguments, if any were given
        "status",  # States
        "try_id",  # number of the attempt, counted from 0
        "unmet",  # how many futures have to be done before the next step
        "worker_losses",  # attempts under which the worker ended
    )

    app_fu: AppFuture[Any] | None
    args: Sequence[Any]
    attempt_returned_s: float | None
    depends: Sequence[Future[Any]]
    dfk: DataFlowKernel
    exec_fu: Future[Any] | None
    executor: str
    fail_cost: float
    fail_count: int
    fail_history: list[str]
    from_memo: bool | None
    func: Callable[..., Any]
    hashsum: str | None
    id: int
    ignore_for_cache: Sequence[str] | None
    invoked_s: float
    job_ends: int
    join: bool
    joins: Future[Any] | list[Future[Any]] | None
    kwargs: dict[str, Any]
    launched_s: float | None
    memoize: bool
    returned_s: float | None
    special: SpecialArguments | None
    status: States
    try_id: int
    unmet: int
    worker_losses: int

    def __init__(
        self,
        dfk: DataFlowKernel,
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
        self.invoked_s = invoked_s
        self.status = States.pending
        self.exec_fu = None
        self.join = False
        self.memoize = False
        self.depends = ()
        self.special = None

    def __getattr__(self, name: str) -> Any:
        if name == "fail_history":
            return []
        try:
            return _DEFAULTS[name]
        except KeyError:
            raise AttributeError(f"a task record has no {name!r}") from None

    def __call__(self, exec_fu: Future[Any]) -> None:
        """The attempt has ended. (The record is the callback itself: one object less for each task.)"""
        self.dfk.runner.attempt_ended(self, exec_fu)

    def dependency_done(self, future: Future[Any]) -> None:
        """One of the futures in ``depends`` is done."""
        self.dfk.runner.dependency_done(self)

    def join_done(self, future: Future[Any]) -> None:
        """One of the futures in ``joins`` is done."""
        self.dfk.runner.join_done(self)

    def memo_done(self, future: Future[Any]) -> None:
        """The outcome of another task with the same call is there."""
        memo = self.dfk.runner.memo
        if memo is not None:
            memo.memo_done(self, future)

    @property
    def func_name(self) -> str:
        """The name of the app."""
        name: str = getattr(self.func, "__name__", None) or type(self.func).__name__
        return name

    @property
    def resource_specification(self) -> dict[str, Any]:
        """What the call asked of the executor in ``parsl_resource_specification``."""
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
        """The futures of the files that the task declared as its outputs."""
        return [] if self.special is None else self.special.output_futures

    @property
    def label(self) -> str | None:
        """The label given to the call."""
        return None if self.special is None else self.special.label

    def forget_payload(self) -> None:
        """Let go of everything large once the task is done; what futures show stays."""
        self.args = self.depends = ()
        self.kwargs = {}
        self.app_fu = self.exec_fu = None
        if self.join:
            self.joins = None

    def __getitem__(self, key: str) -> Any:
        moment = _MOMENTS.get(key)
        if moment is not None:
            return _local_time(getattr(self, moment))
        if key not in _KEYS:
            raise KeyError(key)
        return getattr(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        if key not in TaskRecord.__slots__:
            raise KeyError(f"{key!r} of a task record cannot be set")
        setattr(self, key, value)

    def get(self, key: str, default: Any = None) -> Any:
        """Return ``record[key]`` if there is such a key."""
        return self[key] if key in _KEYS else default

    def keys(self) -> Sequence[str]:
        """Return the names that ``record[...]`` knows."""
        return _KEYS

    def __contains__(self, key: object) -> bool:
        return key in _KEYS

    def __iter__(self) -> Iterator[str]:
        return iter(_KEYS)

    def __len__(self) -> int:
        return len(_KEYS)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.func_name} {self.status.name} on {self.executor}>"


_DEFAULTS: dict[str, Any] = {
    "app_fu": None,
    "attempt_returned_s": None,
    "fail_cost": 0,
    "fail_count": 0,
    "from_memo": None,
    "hashsum": None,
    "job_ends": 0,
    "ignore_for_cache": None,
    "joins": None,
    "launched_s": None,
    "returned_s": None,
    "try_id": 0,
    "unmet": 0,
    "worker_losses": 0,
}

#: Keys that show a moment as a datetime, and the field that has it in seconds since the epoch.
_MOMENTS = {
    "time_invoked": "invoked_s",
    "time_returned": "returned_s",
    "try_time_launched": "launched_s",
    "try_time_returned": "attempt_returned_s",
}

_KEYS = (
    *sorted({*TaskRecord.__slots__} - {*_MOMENTS.values(), "special", "unmet"}),
    "func_name",
    "label",
    "outputs",
    "resource_specification",
    "stderr",
    "stdout",
    *_MOMENTS,
)


def _local_time(moment_s: float | None) -> datetime | None:
    if moment_s is None:
        return None
    from datetime import datetime

    return datetime.fromtimestamp(moment_s)
