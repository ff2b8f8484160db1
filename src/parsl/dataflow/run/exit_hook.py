"""The cleanup of kernels that are still running when Python exits."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from logging import getLogger

from parsl.common.notices import warn_user

logger = getLogger(__name__)

#: What cleans the kernels up, and the process that each belongs to: a forked child has copies of no use.
_cleanups: dict[Callable[[], object], int] = {}
_is_registered = False
_is_exiting = False


class UnfinishedTasksWarning(UserWarning):
    """A script has ended before its tasks."""


def call_at_exit(cleanup: Callable[[], object]) -> None:
    """Call ``cleanup()`` when Python exits, unless the present process is a forked child."""
    global _is_registered
    if not _is_registered:
        # Exit handlers run after the end of the users' threads, while those of executors still run.
        import atexit

        atexit.register(_at_exit)
        _is_registered = True
    _cleanups[cleanup] = os.getpid()


def forget(cleanup: Callable[[], object]) -> None:
    """Take back :func:`call_at_exit`."""
    _cleanups.pop(cleanup, None)


def script_has_failed() -> bool:
    """Whether an exception is propagating through the calling code, or has ended the script.

    It is propagating in an ``except`` or ``finally`` clause, and where it leaves a ``with`` block.
    """
    kind = sys.exc_info()[0]
    if kind is None and _is_exiting:
        kind = getattr(sys, "last_type", None)  # what Python has shown before it exited
    return kind is not None and not issubclass(kind, (SystemExit, GeneratorExit))


def warn_of_unfinished(count: int) -> None:
    """Warn that the script ends before some of its tasks. If it has failed, only log that."""
    text = (
        f"The script ends, and {count} of its tasks are not done: those that run in threads are finished, "
        "the others fail. To wait for tasks, use their results, or call parsl.wait_for_current_tasks()."
    )
    logger.warning(text)
    if not script_has_failed():
        warn_user(text, UnfinishedTasksWarning)


def _at_exit() -> None:
    global _is_exiting
    _is_exiting = True
    for cleanup, pid in reversed(list(_cleanups.items())):
        try:
            if pid == os.getpid():
                cleanup()
        except Exception:
            logger.exception("The cleanup at exit has failed: %r", cleanup)
    if getattr(sys, "last_type", None) is KeyboardInterrupt:
        _end_by_interrupt()


def _end_by_interrupt() -> None:
    """Let Python exit by the signal, as it does after Ctrl-C, and as loops of a shell need in order to end.

    Python remembers only whether the code that it evaluated last was interrupted, and modules that are
    imported during the cleanup may have evaluated other code since.
    """
    try:
        exec("raise KeyboardInterrupt")
    except KeyboardInterrupt:
        pass
