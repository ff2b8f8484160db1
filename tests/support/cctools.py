"""Whether the engines of the CCTools are on this machine."""

from __future__ import annotations

import shutil

import pytest

#: A test with this mark needs Work Queue.
needs_work_queue = pytest.mark.skipif(
    shutil.which("work_queue_worker") is None,
    reason="Work Queue is missing: apt-get install coop-computing-tools python3-workqueue",
)
