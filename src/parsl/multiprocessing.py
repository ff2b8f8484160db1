"""Processes, queues and events with a start method of their own, whatever the script has set as the default.

Nothing in Parsl uses them: plug-ins, such as executors and monitoring radios, import them from here.
"""

from __future__ import annotations

import logging
from multiprocessing import get_context
from multiprocessing.process import BaseProcess

logger = logging.getLogger(__name__)

ForkContext = get_context("fork")
SpawnContext = get_context("spawn")

ForkProcess = ForkContext.Process
SpawnProcess = SpawnContext.Process
SpawnEvent = SpawnContext.Event
SpawnQueue = SpawnContext.Queue


def join_terminate_close_proc(process: BaseProcess, *, timeout: float = 30) -> None:
    """Wait for the end of a process, end it if it takes too long, and release its resources.

    Args:
        process: A started process. It is expected to end by itself.
        timeout: The time to wait (seconds) before SIGTERM, and again before SIGKILL.
    """
    for end in (process.terminate, process.kill):
        process.join(timeout)
        if not process.is_alive():
            break
        logger.warning("%r has not ended within %g s; next step: %s", process, timeout, end.__name__)
        end()
    process.join()
    process.close()
