"""Block error handlers, under the name by which configurations import them."""

from __future__ import annotations

from parsl.common import pass_on_upstream_names
from parsl.executors.blocks.error_handlers import (
    noop_error_handler,
    simple_error_handler,
    windowed_error_handler,
)

__all__ = ["noop_error_handler", "simple_error_handler", "windowed_error_handler"]


pass_on_upstream_names(__name__)
