"""The future of a file, where users import it from."""

from __future__ import annotations

from parsl.common import pass_on_upstream_names
from parsl.vocabulary.data_future import DataFuture

__all__ = ["DataFuture"]


pass_on_upstream_names(__name__)
