"""What has happened in a run: a log that the driver appends to, and readers of it.

``records`` are the facts, ``file`` stores and finds them, ``history`` is what a reader knows of a run.
"""

from __future__ import annotations

#: The name of the log in the run directory.
EVENT_LOG = "events.parsl"

# What followed a failed attempt, in failures.jsonl and in the log's `AttemptFailed`.
TRIED_AGAIN = "tried again"
FAILED = "failed"
DEPENDENCY_FAILED = "dependency failed"
CANCELLED = "cancelled"
