"""The failures of a run, grouped by their cause: one entry for a thousand tasks that fail for one reason."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from dataclasses import dataclass, field

from parsl.eventlog import DEPENDENCY_FAILED, TRIED_AGAIN
from parsl.eventlog.records import AttemptFailed

#: What differs between messages with the same cause: numbers, also hexadecimal ones, with digits in names.
_VARYING = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-f]{8,}(?:-[0-9a-f]{4,}){0,4}\b|\d+(?:\.\d+)?")
#: The beginning of many messages, which is different for each task.
_TASK = re.compile(r"^Task \d+ \([^)]*\), attempt \d+: ")
_MAX_PATTERN = 200
#: How many tasks a group names.
_MAX_TASKS = 20


@dataclass
class FailureGroup:
    """Failures with the same cause.

    Attributes:
        error: The class of the error, with its module; empty for cancelled tasks.
        pattern: The first line of the messages, with ``#`` where they differ.
        example: The failure that was first.
        number: Of the group, from 1 on, in the order of the first failures.
        attempts: How many attempts have failed like that.
        tried_again: How many of them are followed by another attempt.
        followers: How many tasks have never run, because a task of this group has failed.
        apps, hosts: The numbers of failures by the app (number) and by host.
        tasks: The numbers of the first tasks.
        first_s, last_s: When (seconds since the epoch).
    """

    error: str
    pattern: str
    example: AttemptFailed
    number: int = 1
    attempts: int = 0
    tried_again: int = 0
    followers: int = 0
    apps: Counter[int] = field(default_factory=Counter)
    hosts: Counter[str] = field(default_factory=Counter)
    tasks: list[int] = field(default_factory=list)
    first_s: float = 0.0
    last_s: float = 0.0

    @property
    def failed(self) -> int:
        """How many failed attempts were not followed by another one."""
        return self.attempts - self.tried_again

    @property
    def short_error(self) -> str:
        """The name of the error as people write it: without the module if it is Python's or Parsl's."""
        module, _, name = self.error.rpartition(".")
        return name if module == "builtins" or module.split(".")[0] == "parsl" else self.error

    def add(self, failure: AttemptFailed) -> None:
        """Count a failure."""
        self.attempts += 1
        self.tried_again += failure.outcome == TRIED_AGAIN
        self.first_s = min(self.first_s or failure.time_s, failure.time_s)
        self.last_s = max(self.last_s, failure.time_s)
        if failure.app >= 0:
            self.apps[failure.app] += 1
        if failure.host:
            self.hosts[failure.host] += 1
        if len(self.tasks) < _MAX_TASKS and failure.task not in self.tasks:
            self.tasks.append(failure.task)


class FailureGroups:
    """Groups failures one after the other. Owned by one thread."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str, bool], FailureGroup] = {}
        self._in_order: list[FailureGroup] = []
        #: By task: one above the place of its latest failure's group; 0 for none.
        self._places = array("I")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self._groups)}>"

    def take(self, failure: AttemptFailed) -> None:
        """Take in the next failure."""
        if failure.outcome == DEPENDENCY_FAILED and failure.root_task is not None:
            cause = self._place_of(failure.root_task)
            if cause:
                self._in_order[cause - 1].followers += 1
                self._remember(failure.task, cause)
                return
        pattern = pattern_of(failure.message) if failure.error else failure.outcome
        key = (failure.error, pattern, failure.outcome == DEPENDENCY_FAILED)
        group = self._groups.get(key)
        if group is None:
            group = FailureGroup(failure.error, pattern, failure, len(self._in_order) + 1)
            self._groups[key] = group
            self._in_order.append(group)
        group.add(failure)
        self._remember(failure.task, group.number)

    def _place_of(self, task: int) -> int:
        return self._places[task] if 0 <= task < len(self._places) else 0

    def _remember(self, task: int, place: int) -> None:
        missing = task + 1 - len(self._places)
        if missing > 0:
            self._places.frombytes(bytes(self._places.itemsize * (missing + len(self._places) // 4)))
        self._places[task] = place

    def largest_first(self) -> list[FailureGroup]:
        """Return all groups: those that cost most tasks first, then those with most attempts."""
        return sorted(
            self._groups.values(), key=lambda group: (-(group.failed + group.followers), -group.attempts)
        )


def pattern_of(message: str) -> str:
    """Return the first line of a message, with ``#`` for what differs from task to task."""
    lines = _TASK.sub("", message.strip()).splitlines() or [""]
    return _VARYING.sub("#", lines[0])[:_MAX_PATTERN]
