"""The future of a file, where users import it from."""

from __future__ import annotations

from parsl.vocabulary.data_future import DataFuture

__all__ = ["DataFuture"]
