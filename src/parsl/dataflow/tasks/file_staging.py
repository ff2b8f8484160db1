"""Staging of the files among a task's arguments: to where it runs, and from there."""

from __future__ import annotations

from parsl.dataflow.special_arguments import STREAMS, SpecialArguments
from parsl.dataflow.tasks.declared_outputs import DeclaredOutputs
from parsl.vocabulary.data_future import DataFuture
from parsl.vocabulary.files import File

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future
    from typing import Any

    from parsl.data_provider.stager import Stager
    from parsl.dataflow.futures import AppFuture
    from parsl.dataflow.taskrecord import TaskRecord

_FILES = (File, DataFuture)
#: The arguments whose files the task does not read, or which are lists of files.
_NOT_INPUTS = frozenset({"inputs", "outputs", *STREAMS})


class FileStaging:
    """Replaces the files of a call by staged ones. Any thread may call it."""

    def __init__(self, stager: Stager) -> None:
        self._stager = stager
        self._declared = DeclaredOutputs()

    def is_needed(self, record: TaskRecord, found: Iterable[File | DataFuture]) -> bool:
        files = (each.file_obj if isinstance(each, DataFuture) else each for each in found)
        is_here = all(self._stager.leaves_alone(file, record.executor) for file in files)
        return not is_here and not is_inhibited(record.kwargs)

    def stage_in(self, record: TaskRecord) -> None:
        kwargs = record.kwargs
        record.args = [self._staged_in(value, record) for value in record.args]
        record.kwargs = {
            name: self._staged_in(value, record) if name not in _NOT_INPUTS else value
            for name, value in kwargs.items()
        }
        if kwargs.get("inputs"):
            record.kwargs["inputs"] = [self._staged_in(value, record) for value in kwargs["inputs"]]

    def _staged_in(self, value: Any, record: TaskRecord) -> Any:
        if not issubclass(type(value), _FILES):  # isinstance makes a lazy object fetch its target
            return value
        func = _function_of(record)
        staged, replaced = self._stager.optionally_stage_in(value, func, record.executor)
        if replaced is not func:
            special_of(record).staged_func = replaced
        return staged

    def stage_out(
        self,
        record: TaskRecord,
        special: SpecialArguments,
        app_fu: AppFuture[Any],
        depends: Iterable[Future[Any]],
    ) -> None:
        """Make the futures of the files that a task writes, and stage those out that need it."""
        files = special.files()
        if not files:
            return
        self._declared.check(record, special.outputs, depends)
        if is_inhibited(record.kwargs):
            special.output_futures = [DataFuture(app_fu, file, record.id) for file in special.outputs]
            return
        self._stager.check_stage_out(files, record.executor)
        outputs, special.output_futures = self._staged_outputs(record, app_fu)
        for name in STREAMS:
            self._stage_stream(name, record, special, app_fu)
        if outputs is not None:
            record.kwargs["outputs"] = outputs

    def _staged_outputs(
        self, record: TaskRecord, app_fu: AppFuture[Any]
    ) -> tuple[list[Any] | None, list[DataFuture]]:
        given = record.kwargs.get("outputs")
        if given is None:
            return None, []
        written, futures = [], []
        for item in given:
            if isinstance(item, File):
                item, future = self._staged_out(item, record, app_fu)
                futures.append(future)
            written.append(item)
        return written, futures

    def _stage_stream(
        self, name: str, record: TaskRecord, special: SpecialArguments, app_fu: AppFuture[Any]
    ) -> None:
        stream: Any = special.streams.get(name)
        is_pair = isinstance(stream, tuple)
        file = stream[0] if is_pair else stream
        if isinstance(file, File):
            written, future = self._staged_out(file, record, app_fu)
            record.kwargs[name] = (written, stream[1]) if is_pair else written
            setattr(special, f"shown_{name}", future)

    def _staged_out(self, file: File, record: TaskRecord, app_fu: AppFuture[Any]) -> tuple[File, DataFuture]:
        func = _function_of(record)
        written, replaced, future = self._stager.stage_out(file, func, record.executor, app_fu, record.id)
        if replaced is not func:
            special_of(record).staged_func = replaced
        self._declared.add(file, future)
        return written, future

    def __repr__(self) -> str:
        return f"<{type(self).__name__} by {self._stager!r}>"


def is_inhibited(kwargs: dict[str, Any]) -> bool:
    """Whether a call forbids the staging of its files. A task that stages files does."""
    return bool(kwargs.get("_parsl_staging_inhibit", False))


def special_of(record: TaskRecord) -> SpecialArguments:
    """Return the special arguments of a task; new ones without content if it has none."""
    if record.special is None:
        record.special = SpecialArguments(record.func_name, {})
        record.is_plain = False
    return record.special


def _function_of(record: TaskRecord) -> Any:
    """Return what the executor calls: the task's function, or that together with transfers."""
    special = record.special
    return record.func if special is None or special.staged_func is None else special.staged_func
