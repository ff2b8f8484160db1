"""Cleaning up the kernels that are still there when Python ends."""

from __future__ import annotations

import os
from logging import getLogger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.dataflow.dflow import DataFlowKernel

logger = getLogger(__name__)

#: The kernels to clean up, and the process they belong to: a forked child inherits them in vain.
_kernels: dict[DataFlowKernel, int] = {}
_is_registered = False


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


def _at_exit() -> None:
    for kernel, pid in reversed(list(_kernels.items())):
        if pid != os.getpid():
            continue
        try:
            kernel.atexit_cleanup()
        except Exception:
            logger.exception("cleanup of %r at exit failed", kernel)
