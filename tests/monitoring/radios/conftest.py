"""The driver's queue."""

from __future__ import annotations

from collections.abc import Iterator
from multiprocessing.queues import Queue

import pytest

from parsl.multiprocessing import SpawnQueue


@pytest.fixture
def messages() -> Iterator[Queue]:  # type: ignore[type-arg]
    found = SpawnQueue()
    yield found
    found.close()
    found.join_thread()
