"""The kernel that apps use when they are not told another."""

from __future__ import annotations

import threading

from parsl.errors import ConfigurationError, NoDataFlowKernelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from parsl.config import Config
    from parsl.dataflow.dflow import DataFlowKernel

_lock = threading.RLock()


class DataFlowKernelLoader:
    """Keeps the one kernel that ``parsl.load`` has made."""

    _dfk: DataFlowKernel | None = None

    @classmethod
    def load(cls, config: Config | None = None) -> DataFlowKernel:
        """Start a kernel and make it the one that apps use.

        Args:
            config: What it is to be like; None for a few threads of this process.

        Raises:
            ConfigurationError: One is loaded already.
        """
        with _lock:
            if cls._dfk is not None and not cls._dfk.cleanup_called:
                raise ConfigurationError(
                    f"A configuration has already been loaded ({cls._dfk!r}). To load another one, leave the "
                    "`with parsl.load(...)` block first, or call parsl.dfk().cleanup() and parsl.clear(). "
                    "For several at once, make DataFlowKernel(config) objects and pass them to the apps"
                )
            from parsl.config import Config
            from parsl.dataflow.dflow import DataFlowKernel

            cls._dfk = DataFlowKernel(Config() if config is None else config)
            return cls._dfk

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
            NoDataFlowKernelError: None is loaded.
        """
        kernel = cls._dfk
        if kernel is None:
            raise NoDataFlowKernelError(
                "Must first load config: no configuration is loaded. Call parsl.load(config), "
                "or use `with parsl.load(config):`, before calling an app"
            )
        return kernel

    @classmethod
    def wait_for_current_tasks(cls) -> None:
        """Wait until the tasks that the kernel has now are done."""
        cls.dfk().wait_for_current_tasks()
