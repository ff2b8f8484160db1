"""Writes what the kernel contributes to the event log, in the order that a reader needs."""

from __future__ import annotations

import os
from collections import Counter
from time import time

from parsl.dataflow.tasks.event_rows import PLAIN_BYTES, EncodedRows, PackedRows, app_and_state, kind_of
from parsl.vocabulary.task_states import States

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from parsl.eventlog.file import EventFile
    from parsl.eventlog.records import ExecutorFacts, RunBegan
    from parsl.executors.base import ParslExecutor

_DONE = int(States.exec_done)
#: The time between records of totals, at least (seconds).
_SUMMARY_S = 2.0


class EventWriter:
    """Writes names, rows and totals in the order that a reader needs. Used by one thread at a time."""

    def __init__(self, path: str, run: RunBegan, executor_of: Callable[[str], ParslExecutor | None]) -> None:
        from parsl.eventlog import records

        self._records = records
        self._executor_of = executor_of
        for field in run.__struct_fields__:
            setattr(run, field, encodable(getattr(run, field)))
        self._file = _create(path)
        self.encode = records.encode
        self._executor_count = 0
        self._app_names: list[str] = []
        #: The numbers of ended tasks by app and state, as in `EncodedRows`.
        self._totals: Counter[int] = Counter()
        self._summed_s = 0.0
        self._is_changed = False
        self._file.write(run)

    def write(self, kind: str, *fields: Any) -> None:
        """Write a record, given the name of its class."""
        number = fields[2] if kind == "Gap" else len(fields[0]) if type(fields[0]) is list else 1
        self._file.add(getattr(self._records, kind)(*fields), number)

    def write_rows(self, rows: EncodedRows) -> None:
        """Write rows of tasks, and count those that have ended."""
        for part, number in rows.parts():
            self._file.add_encoded((self._records.head_of_tasks(number), part), number)
        self._totals.update(rows.kinds)
        self._is_changed = self._is_changed or bool(rows.kinds)

    def write_packed(self, rows: PackedRows) -> None:
        """Write plain rows, and count their tasks."""
        for (app, executor), part in rows.parts():
            number = len(part) // PLAIN_BYTES
            self._file.add_encoded((self._records.head_of_packed(app, executor, len(part)), part), number)
            self._totals[kind_of(app, _DONE)] += number
            self._is_changed = True

    def flush(self) -> None:
        """Write to the file."""
        self._file.flush()

    def name(self, executors: Sequence[str], apps: Sequence[str]) -> None:
        """Write the names that are new. Both are in the order of their numbers.

        They are in the file before the rows that refer to them. If that fails, they are new next time, too.
        """
        labels, names = executors[self._executor_count :], apps[len(self._app_names) :]
        if labels:
            self.write("Executors", list(map(self._facts_of, labels)), self._executor_count)
        if names:
            self.write("Apps", names, len(self._app_names))
        if (labels or names) and self._file.flush():
            self._executor_count += len(labels)
            self._app_names += names

    def _facts_of(self, label: str) -> ExecutorFacts:
        executor = self._executor_of(label)
        provider = getattr(executor, "provider", None)
        kind, provider_kind = ("" if each is None else type(each).__name__ for each in (executor, provider))
        limit = getattr(provider, "max_blocks", None)
        max_blocks = limit if type(limit) is int else -1
        return self._records.ExecutorFacts(label, kind, provider_kind, max_blocks)

    def sum_up(self, task_count: int, *, is_due: bool) -> None:
        now_s = time()
        if self._is_changed and (is_due or now_s - self._summed_s >= _SUMMARY_S):
            self._is_changed = False
            self._summed_s = now_s
            ended = [(*app_and_state(kind), number) for kind, number in self._totals.items()]
            self.write("Summary", now_s, task_count, ended, self._app_names)

    def end(self, task_count: int, states: Mapping[str, int]) -> None:
        self.sum_up(task_count, is_due=True)
        self.write("RunEnded", time(), task_count, dict(states))
        self._file.flush()
        self._file.close()


def encodable(value: Any) -> Any:
    """Return a text, or a list of texts, with a question mark for what UTF-8 cannot encode."""
    if isinstance(value, list):
        return list(map(encodable, value))
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _create(path: str) -> EventFile:
    """Create the file. One of an earlier run in the same directory gets another name."""
    from parsl.eventlog.file import EventFile

    number = 1
    while os.path.exists(path):
        earlier = f"{path}.{number}"
        number += 1
        if not os.path.exists(earlier):
            os.rename(path, earlier)
    return EventFile(path)
