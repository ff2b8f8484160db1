from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from parsl.multiprocessing import (
    ForkProcess,
    SpawnContext,
    SpawnEvent,
    SpawnProcess,
    SpawnQueue,
    join_terminate_close_proc,
)


def answer(queue: Any, event: Any) -> None:
    event.wait(60)
    queue.put(os.getpid())


def wait_for_a_signal(queue: Any, ignored: Any) -> None:
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
    queue.put(os.getpid())
    signal.pause()


def test_a_spawned_process_has_queues_and_events() -> None:
    queue, event = SpawnQueue(), SpawnEvent()
    process = SpawnProcess(target=answer, args=(queue, event))
    process.start()
    pid = process.pid
    event.set()
    assert queue.get(timeout=60) == pid
    join_terminate_close_proc(process)
    assert SpawnContext.get_start_method() == "spawn"


@pytest.mark.parametrize("ignored", [(), (signal.SIGTERM,)])
def test_a_process_that_stays_is_ended(ignored: tuple[int, ...]) -> None:
    queue = SpawnContext.SimpleQueue()
    process = ForkProcess(target=wait_for_a_signal, args=(queue, ignored))
    process.start()
    pid = queue.get()
    join_terminate_close_proc(process, timeout=0.05)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(ValueError, match="closed"):
        process.is_alive()
