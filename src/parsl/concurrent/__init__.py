"""The interface of ``concurrent.futures`` for Parsl."""

from parsl.concurrent.pool import ParslPoolExecutor

__all__ = ["ParslPoolExecutor"]
