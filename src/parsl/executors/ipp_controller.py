"""Where scripts until 2020 import the Controller of the IPyParallelExecutor from: it is retired, too."""

from parsl.executors import Controller

__all__ = ["Controller"]
