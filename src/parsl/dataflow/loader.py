"""The one kernel of a script: ``parsl.load`` starts it, and apps without a kernel of their own use it."""

from __future__ import annotations

import threading

from parsl.dataflow.config import Config
from parsl.dataflow.dflow import DataFlowKernel
from parsl.errors import ConfigurationError, NoDataFlowKernelError

__all__ = ["DataFlowKernelLoader"]

_lock = threading.RLock()


class DataFlowKernelLoader:
    """Keeps the one kernel that ``parsl.load`` has made, for apps without a kernel of their own."""

    _dfk: DataFlowKernel | None = None

    @classmethod
    def load(cls, config: Config | None = None) -> DataFlowKernel:
        """Start a kernel and make it the one that apps use.

        Args:
            config: The configuration; None for a few threads of this process.

        Raises:
            ConfigurationError: A kernel is loaded already.
        """
        with _lock:
            if cls._dfk is not None and not cls._dfk.cleanup_called:
                raise ConfigurationError(
                    f"A configuration has already been loaded ({cls._dfk!r}). To load another one, leave the "
                    "`with parsl.load(...)` block first, or call parsl.dfk().cleanup() and parsl.clear(). "
                    "For several at once, make DataFlowKernel(config) objects and pass them to the apps"
                )
            kernel = cls._dfk = DataFlowKernel(Config() if config is None else config)
            kernel.when_left = cls.forget
            return kernel

    @classmethod
    def clear(cls) -> None:
        """Forget the kernel, without cleaning it up."""
        cls._dfk = None

    @classmethod
    def forget(cls, kernel: DataFlowKernel) -> None:
        """Forget the kernel if it is this one."""
        with _lock:
            if cls._dfk is kernel:
                cls._dfk = None

    @classmethod
    def dfk(cls) -> DataFlowKernel:
        """Return the kernel.

        Raises:
            NoDataFlowKernelError: No kernel is loaded, or it has been cleaned up.
        """
        kernel = cls._dfk
        if kernel is not None and not kernel.cleanup_called:
            return kernel
        state = "no configuration is loaded"
        if kernel is not None:
            kernel.check_is_here()
            state = f"the run in {kernel.run_dir} is over, because it has been cleaned up"
        raise NoDataFlowKernelError(
            f"Must first load config: {state}. Call parsl.load(config), "
            "or use `with parsl.load(config):`, before calling an app"
        )

    @classmethod
    def wait_for_current_tasks(cls) -> None:
        """Wait until the present tasks of the kernel are done."""
        cls.dfk().wait_for_current_tasks()
