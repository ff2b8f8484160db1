"""Where users import DataFuture from."""

from __future__ import annotations

from parsl.dataflow.data_future import DataFuture

__all__ = ["DataFuture"]
