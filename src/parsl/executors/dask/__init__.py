"""The executor that runs tasks in a Dask cluster. Importing this package does not import Dask."""

from parsl.executors.dask.executor import DaskExecutor

__all__ = ["DaskExecutor"]
