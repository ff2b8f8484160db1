"""Cleaning up the kernels that are still there when Python ends."""

from __future__ import annotations

import os
import sys
from logging import getLogger

from parsl.common.notices import warn_user

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.dataflow.dflow import DataFlowKernel

logger = getLogger(__name__)

#: The kernels to clean up, and the process they belong to: a forked child inherits them in vain.
_kernels: dict[DataFlowKernel, int] = {}
_is_registered = False
_is_exiting = False


class UnfinishedTasksWarning(UserWarning):
    """A script has ended before its tasks."""


def clean_up_at_exit(kernel: DataFlowKernel) -> None:
    """Have ``kernel.atexit_cleanup()`` called when Python ends."""
    global _is_registered
    if not _is_registered:
        # After the threads that users started have ended, and while those of executors still run.
        import atexit

        atexit.register(_at_exit)
        _is_registered = True
    _kernels[kernel] = os.getpid()


def no_more(kernel: DataFlowKernel) -> None:
    """Take a kernel off again."""
    _kernels.pop(kernel, None)


def script_has_failed() -> bool:
    """Whether an exception is on its way through the calling code, or has ended the script.

    It is on its way in an ``except`` or ``finally`` clause, and where it leaves a ``with`` block.
    """
    kind = sys.exc_info()[0]
    if kind is None and _is_exiting:
        kind = getattr(sys, "last_type", None)  # what Python has shown before it ended
    return kind is not None and not issubclass(kind, (SystemExit, GeneratorExit))


def tell_of_unfinished(count: int) -> None:
    """Say that the script ends before so many of its tasks; one that has failed has said so itself."""
    text = (
        f"The script ends, and {count} of its tasks are not done: those that run in threads are finished, "
        "the others fail. To wait for tasks, ask for their results, or call parsl.wait_for_current_tasks()."
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
            logger.exception("cleanup of %r at exit failed", kernel)
