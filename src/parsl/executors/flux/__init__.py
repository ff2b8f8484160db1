"""Tasks as jobs of Flux."""

from __future__ import annotations

from collections import namedtuple

#: How a task has ended, as upstream's jobs leave it; here results travel as bytes.
TaskResult = namedtuple("TaskResult", ("returnval", "exception"))
