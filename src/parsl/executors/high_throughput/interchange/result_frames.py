"""Which frames of a message belong to which of its results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from parsl.executors.high_throughput.wire.protocol import Result


def divided(results: Sequence[Result], frames: Sequence[Any]) -> list[Sequence[Any]] | None:
    """The frames of each result; None if they are not those that the results tell of."""
    if not frames:
        return None if any(result.sizes for result in results) else [()] * len(results)
    parts = []
    at = 0
    for result in results:
        part = frames[at : at + len(result.sizes)]
        if tuple(memoryview(frame).nbytes for frame in part) != result.sizes:
            return None
        parts.append(part)
        at += len(part)
    return parts if at == len(frames) else None


def frames_of(kept: Sequence[Result], results: Sequence[Result], parts: Sequence[Sequence[Any]]) -> list[Any]:
    """The frames of some of the results, in order.

    Args:
        kept: these.
        results: all of the message.
        parts: the frames of each of them.
    """
    ids = {result.id for result in kept}
    return [frame for result, part in zip(results, parts, strict=True) if result.id in ids for frame in part]
