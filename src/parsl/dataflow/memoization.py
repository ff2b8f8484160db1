"""Memoization: a call that equals an earlier one is not executed again, in this run or a later one."""

from __future__ import annotations

import os
import threading
from concurrent.futures import CancelledError, Future
from logging import getLogger

from parsl import validate
from parsl.common import pass_on_upstream_names
from parsl.dataflow.checkpoints.file import FILE_NAME, CheckpointFile, PeriodicCheckpoints, period_in_seconds
from parsl.dataflow.checkpoints.records import encode_record, frame
from parsl.dataflow.memo.hashing import hash_plain_call, make_hash
from parsl.dataflow.memo.ids import (
    UnknownMemoType,
    by_name,
    id_for_memo,
    id_for_memo_dict,
    id_for_memo_list,
    id_for_memo_pickle,
    id_for_memo_tuple,
)
from parsl.dataflow.memoizer import START_OVER, Memoizer
from parsl.errors import ParslError
from parsl.vocabulary.app_errors import AppException
from parsl.vocabulary.lean_future import LeanFuture, done_future

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Literal

    from parsl.dataflow.checkpoints.loaded import LoadedCheckpoints
    from parsl.dataflow.taskrecord import TaskRecord

__all__ = [
    "BasicMemoizer",
    "CheckpointCommand",
    "Memoizer",
    "UnknownMemoType",
    "id_for_memo",
    "id_for_memo_dict",
    "id_for_memo_list",
    "id_for_memo_pickle",
    "id_for_memo_tuple",
    "make_hash",
]

logger = getLogger(__name__)

_MODES = ("task_exit", "periodic", "dfk_exit", "manual", None)


class CheckpointCommand:
    """The outcome of a task, for a checkpoint: the task's record, and its result or its exception."""

    def __init__(
        self, task_record: TaskRecord, *, result: object | None = None, exception: BaseException | None = None
    ) -> None:
        self.task_record = task_record
        self.result = result
        self.exception = exception


class BasicMemoizer(Memoizer):
    """Keeps the outcomes of apps with ``cache=True``, and writes results to checkpoints.

    Within a run, a call that equals an earlier one gets its result or its exception. While the earlier call
    is executing, the later one waits. Checkpoints contain results only. Failures with other causes than the
    app (a lost worker, the end of the run) and cancellations are not kept.

    Args:
        checkpoint_files: The directories of checkpoints of earlier runs, as
            :func:`parsl.utils.get_all_checkpoints` and :func:`parsl.utils.get_last_checkpoint` return them.
            None: all those in the Config's ``run_dir`` if there is a ``checkpoint_mode``, else none.
        checkpoint_period: The interval of ``'periodic'``, as hours, minutes and seconds ``'HH:MM:SS'``.
            None: 30 minutes.
        checkpoint_mode: When results are written to this run's checkpoint: ``'task_exit'``, before the task's
            future is done; ``'periodic'``; ``'dfk_exit'``, when the run ends; ``'manual'``, only by calls of
            :meth:`checkpoint`. None: never.
        memoize: Whether outcomes are kept at all.
        function_identity: What makes a function the same one: its ``'code'`` and name, or, as in older
            versions, only its ``'name'`` and module.

    Raises:
        ParameterError: A parameter is wrong.
    """

    def __init__(
        self,
        *,
        checkpoint_files: Sequence[str] | None = None,
        checkpoint_period: str | None = None,
        checkpoint_mode: Literal["task_exit", "periodic", "dfk_exit", "manual"] | None = None,
        memoize: bool = True,
        function_identity: Literal["code", "name"] = "code",
    ) -> None:
        self.checkpoint_files = _checked_files(self, checkpoint_files)
        self.checkpoint_mode = validate.choice(self, "checkpoint_mode", checkpoint_mode, _MODES)
        self.checkpoint_period = checkpoint_period
        self._period_s = period_in_seconds(
            self, "00:30:00" if checkpoint_period is None else checkpoint_period
        )
        self.memoize = validate.boolean(self, "memoize", memoize)
        self.function_identity = validate.choice(
            self, "function_identity", function_identity, ("code", "name")
        )
        self._is_by_code = function_identity == "code"
        self.commits = memoize and checkpoint_mode == "task_exit"
        self._table = MemoTable()
        self._loaded: LoadedCheckpoints | None = None
        self._file: CheckpointFile | None = None
        self._periodic: PeriodicCheckpoints | None = None
        self._unpicklable: set[str] = set()

    def start(self, *, run_dir: str, config_run_dir: str) -> None:
        self._table = MemoTable()
        self._file = None
        if not self.memoize:
            return
        if self.checkpoint_mode is not None:
            self._file = CheckpointFile(os.path.join(run_dir, "checkpoint", FILE_NAME))
        paths: Sequence[str] | None = self.checkpoint_files
        if paths is None and self.checkpoint_mode is not None:
            from parsl.common.rundirs import get_all_checkpoints

            paths = get_all_checkpoints(config_run_dir)
        if paths:
            from parsl.dataflow.checkpoints.loaded import LoadedCheckpoints

            self._loaded = LoadedCheckpoints(paths, skip_missing=self.checkpoint_files is None)
        if self._file is not None and self.checkpoint_mode in ("task_exit", "periodic"):
            self._file.create()  # after the search for earlier checkpoints, which must not find this one
        if self.checkpoint_mode == "periodic":
            self._periodic = PeriodicCheckpoints(self.checkpoint_queue, self._period_s)

    def load_checkpoints(self, checkpointDirs: Sequence[str] | None) -> Mapping[str, Future[Any]]:
        """Return the results in checkpoints by the hashes of their calls; an empty mapping for None.

        Raises:
            BadCheckpoint: A checkpoint is missing, or is another kind of file.
        """
        from parsl.dataflow.checkpoints.loaded import LoadedCheckpoints

        return LoadedCheckpoints(_checked_files(self, checkpointDirs) or ())

    def check_memo(self, task: TaskRecord) -> Future[Any] | None:
        """Return a future of the outcome of an equal call, if there was one; see :class:`Memoizer`."""
        if not task.memoize or not self.memoize:
            return None
        if self._is_by_code:
            hashsum = task.hashsum = hash_plain_call(task) or make_hash(task)
        else:
            hashsum = task.hashsum = self._hash_by_name(task)
        known = self._table.claim(hashsum, task)
        if known is not None or self._loaded is None:
            return known
        try:
            return self._find_loaded(hashsum, task, self._loaded)
        except Exception as error:
            logger.warning("Task %d runs, because the checkpoints cannot be searched: %r", task.id, error)
            return None

    def _find_loaded(self, hashsum: str, task: TaskRecord, loaded: LoadedCheckpoints) -> Future[Any] | None:
        """Search the earlier runs' checkpoints for a call, and add its result to this run's checkpoint."""
        future: Future[Any] | None = None
        if (found := loaded.find(hashsum)) is not None:
            future, body = found
            if self._file is not None:
                self._file.add(frame(hashsum, body))
        elif loaded.has_upstreams:
            future = loaded.find_upstreams(self._hash_by_name(task))
            if future is not None:
                self._record(hashsum, task, future.result())
        if future is not None:
            self._table.put(hashsum, future.result())
        return future

    def _hash_by_name(self, task: TaskRecord) -> str:
        with by_name():
            return make_hash(task)

    def update_memo_result(self, task: TaskRecord, r: Any) -> None:
        """Keep a result; with ``task_exit``, :meth:`commit` writes it."""
        if task.hashsum is not None:
            self._record(task.hashsum, task, r)
            self._table.put(task.hashsum, r)

    def update_memo_results(self, ended: Sequence[tuple[TaskRecord, Any]]) -> None:
        if type(self).update_memo_result is not BasicMemoizer.update_memo_result:  # a subclass overrides it
            super().update_memo_results(ended)
            return
        if self._file is not None:
            records = []
            for task, result in ended:
                try:
                    records.append(encode_record(task.hashsum, result))  # type: ignore[arg-type]
                except Exception as error:
                    self._warn_unpicklable(task, error)
            self._file.add(*records)
        self._table.put_all(ended)

    def update_memo_exception(self, task: TaskRecord, e: BaseException) -> None:
        """Keep an exception for this run, if the app has raised it."""
        if task.hashsum is None:
            return
        if _is_apps_own(e):
            self._table.put(task.hashsum, None, e)
        else:
            self._table.release(task.hashsum, task)

    def _record(self, hashsum: str, task: TaskRecord, result: Any) -> None:
        try:
            if self._file is not None:
                self._file.add(encode_record(hashsum, result))
        except Exception as error:
            self._warn_unpicklable(task, error)

    def _warn_unpicklable(self, task: TaskRecord, error: Exception) -> None:
        if task.func_name not in self._unpicklable:
            self._unpicklable.add(task.func_name)
            logger.warning(
                "Results of app %s cannot be pickled, so checkpoints do not contain them: %s: %s",
                task.func_name, type(error).__name__, error,
            )  # fmt: skip

    def commit(self) -> None:
        if self._file is not None:
            self._file.write()

    def checkpoint(self) -> None:
        """Write all results to this run's checkpoint, in any mode."""
        self.checkpoint_queue()

    def checkpoint_queue(self) -> None:
        """Write the results that are not written yet, and have them survive a power failure."""
        if self._file is not None:
            self._file.create()
            self._file.write()
            self._file.sync()

    def checkpoint_one(self, cc: CheckpointCommand) -> None:
        """Write the result of one task; nothing if it has failed or has no hash."""
        if cc.exception is None and cc.task_record.hashsum is not None:
            self._record(cc.task_record.hashsum, cc.task_record, cc.result)
            self.commit()

    def close(self) -> None:
        """Write what the mode prescribes for the end, and close the files."""
        if self._periodic is not None:
            self._periodic.stop()
            self._periodic = None
        if self._file is not None:
            self._file.create()
            if self.checkpoint_mode in ("task_exit", "periodic", "dfk_exit"):
                self._file.write()
            self._file.close()
        if self._loaded is not None:
            self._loaded.close()
            self._loaded = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.checkpoint_mode or 'no checkpoints'}, {self._table!r}>"


class MemoTable:
    """Assigns each call of this run to one task, and its outcome to the others. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: For each call the task that executes it, or its outcome: a result and an exception.
        self._calls: dict[str, TaskRecord | tuple[Any, BaseException | None]] = {}
        #: For some of the calls under way, the future on which other tasks wait.
        self._shared: dict[str, LeanFuture[Any]] = {}

    def claim(self, hashsum: str, task: TaskRecord) -> LeanFuture[Any] | None:
        """Return a future of the outcome of a call, done or not; None if this task has to execute it.

        The future's result may be :data:`START_OVER`.
        """
        call = self._calls.setdefault(hashsum, task)  # atomic
        if call is task:
            return None
        if type(call) is tuple:
            return done_future(*call)
        with self._lock:
            call = self._calls.setdefault(hashsum, task)  # the call may have ended meanwhile
            if call is task:
                return None
            if type(call) is tuple:
                return done_future(*call)
            return self._shared.setdefault(hashsum, LeanFuture())

    def put(self, hashsum: str, result: Any, error: BaseException | None = None) -> None:
        """Note the outcome of a call, and complete the future on which other tasks wait."""
        with self._lock:
            self._calls[hashsum] = (result, error)
            waiting = self._shared.pop(hashsum, None) if self._shared else None
        if waiting is not None:
            if error is None:
                waiting.set_result(result)
            else:
                waiting.set_exception(error)

    def put_all(self, ended: Sequence[tuple[TaskRecord, Any]]) -> None:
        """Note the results of tasks as :meth:`put` does."""
        calls, shared = self._calls, self._shared
        waiting = []
        with self._lock:
            for task, result in ended:
                calls[task.hashsum] = (result, None)  # type: ignore[index]
            if shared:
                waiting = [(shared.pop(task.hashsum, None), result) for task, result in ended]  # type: ignore[arg-type]
        for future, result in waiting:
            if future is not None:
                future.set_result(result)

    def release(self, hashsum: str, task: TaskRecord) -> None:
        """Note that a task has ended without an outcome to share, so that another one executes the call."""
        with self._lock:
            if self._calls.get(hashsum) is not task:
                return
            del self._calls[hashsum]
            waiting = self._shared.pop(hashsum, None)
        if waiting is not None:
            waiting.set_result(START_OVER)

    def __repr__(self) -> str:
        with self._lock:
            done = [call for call in self._calls.values() if type(call) is tuple]
        failed = sum(1 for _, error in done if error is not None)
        return (
            f"<{type(self).__name__} {len(done) - failed} results, {failed} exceptions, "
            f"{len(self._calls) - len(done)} in flight>"
        )


def _is_apps_own(error: BaseException) -> bool:
    """Whether the app itself has raised an error, so that another execution would raise it again."""
    if isinstance(error, CancelledError) or not isinstance(error, Exception):
        return False
    return isinstance(error, AppException) or not isinstance(error, ParslError)


def _checked_files(owner: object, files: Any) -> list[str] | None:
    if files is None:
        return None
    paths = validate.list_of(owner, "checkpoint_files", files, (str, os.PathLike))
    return [os.fspath(path) for path in paths]


pass_on_upstream_names(__name__)
