"""A packed call, executed in this process: for the worker programs of executors that others have written."""

from __future__ import annotations

from typing import Any

from parsl.serialize.facade import unpack_apply_message


def execute_task(bufs: bytes) -> Any:
    """Call the function in a packed call.

    Args:
        bufs: The bytes that :func:`parsl.serialize.pack_apply_message` has returned.

    Returns:
        What the function returns.

    Raises:
        DeserializationError: The bytes are no packed call.
        Exception: What the function raises.
    """
    function, args, kwargs = unpack_apply_message(bufs)
    return function(*args, **kwargs)
