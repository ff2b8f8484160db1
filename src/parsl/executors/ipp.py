"""Where scripts until 2020 import the IPyParallelExecutor from: it has been retired, and gives advice."""

from parsl.executors import IPyParallelExecutor

__all__ = ["IPyParallelExecutor"]
