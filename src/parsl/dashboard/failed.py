"""What failed: failures grouped by cause; and what failures.jsonl and stderr contain about one task."""

from __future__ import annotations

import json
import os
from typing import Any

from parsl.dashboard.live import Known
from parsl.dataflow.tasks.failure_log import FAILURE_LOG
from parsl.eventlog.failure_groups import FailureGroup
from parsl.failure_facts import tail_of

#: At most this many groups are shown, those that cost most tasks first.
_MAX_GROUPS = 100
_MAX_HOSTS = 10
#: At most this many attempts of a task are shown.
_MAX_LINES = 50
#: At most this much of failures.jsonl is searched (bytes).
_MAX_SEARCHED_BYTES = 500_000_000


def groups(known: Known) -> dict[str, Any]:
    """Return the failures by cause."""
    found = known.watch.failures.largest_first()
    return {
        "groups": [_group(known, group) for group in found[:_MAX_GROUPS]],
        "group_count": len(found),
        "attempt_count": len(known.history.failures),
    }


def _group(known: Known, group: FailureGroup) -> dict[str, Any]:
    apps = [(known.history.app_name(app), count) for app, count in group.apps.most_common()]
    return {
        "number": group.number,
        "error": group.short_error or group.example.outcome,
        "pattern": group.pattern,
        "message": group.example.message,
        "example": group.example.task,
        "attempts": group.attempts,
        "tried_again": group.tried_again,
        "failed": group.failed,
        "followers": group.followers,
        "outcome": group.example.outcome,
        "apps": apps[:_MAX_HOSTS],
        "hosts": group.hosts.most_common(_MAX_HOSTS),
        "host_count": len(group.hosts),
        "tasks": group.tasks,
        "first_s": group.first_s,
        "last_s": group.last_s,
    }


def attempts_in_file(run_dir: str, task: int) -> list[dict[str, Any]]:
    """Return what failures.jsonl contains about a task, with the end of its present stderr.

    Args:
        run_dir: The run directory.
        task: The task's number.
    """
    path = os.path.join(run_dir, FAILURE_LOG)
    mark = f'"task_id": {task},'.encode()
    found: list[dict[str, Any]] = []
    try:
        with open(path, "rb") as file:
            for line in file:
                if mark in line and (attempt := _read_line(line, task)) is not None:
                    found.append(attempt)
                if len(found) >= _MAX_LINES or file.tell() > _MAX_SEARCHED_BYTES:
                    break
    except OSError:
        return found
    return found


def _read_line(line: bytes, task: int) -> dict[str, Any] | None:
    try:
        attempt = json.loads(line)
    except ValueError:
        return None
    if not isinstance(attempt, dict) or attempt.get("task_id") != task:
        return None
    path = attempt.get("stderr")
    if not attempt.get("stderr_tail") and isinstance(path, str) and (tail := tail_of(path)):
        attempt["stderr_tail"] = tail
    return attempt
