"""The cleanup of kernels that are still running when Python exits."""

from __future__ import annotations

import os
import sys
from logging import getLogger

from parsl.common.notices import warn_user

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Kernel(Protocol):
        """A kernel to clean up."""

        def atexit_cleanup(self) -> None:
            """Clean up because Python exits."""


logger = getLogger(__name__)

#: The kernels to clean up, and the process that each belongs to: a forked child has copies of no use.
_kernels: dict[Kernel, int] = {}
_is_registered = False
_is_exiting = False


class UnfinishedTasksWarning(UserWarning):
    """A script has ended before its tasks."""


def clean_up_at_exit(kernel: Kernel) -> None:
    """Have ``kernel.atexit_cleanup()`` called when Python exits."""
    global _is_registered
    if not _is_registered:
        # Exit handlers run after the end of the users' threads, while those of executors still run.
        import atexit

        atexit.register(_at_exit)
        _is_registered = True
    _kernels[kernel] = os.getpid()


def forget(kernel: Kernel) -> None:
    """Take back :func:`clean_up_at_exit`."""
    _kernels.pop(kernel, None)


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
    for kernel, pid in reversed(list(_kernels.items())):
        if pid != os.getpid():
            continue
        try:
            kernel.atexit_cleanup()
        except Exception:
            logger.exception("The cleanup of %r at exit has failed", kernel)
