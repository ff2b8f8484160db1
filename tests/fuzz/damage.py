"""Ways to damage valid data."""

from __future__ import annotations

from typing import TypeVar

from hypothesis import settings
from hypothesis import strategies as st

Data = TypeVar("Data", str, bytes)

#: There are many of these tests: each takes a part of the profile's examples.
a_few = settings(max_examples=max(25, settings().max_examples // 4))


@st.composite
def cut(draw: st.DrawFn, whole: Data) -> Data:
    """Data with missing, duplicated or reordered parts, and nothing new."""
    pieces = [whole]
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(pieces[-1])))
        last = pieces.pop()
        pieces += [last[:at], last[at:]]
    kept = draw(st.lists(st.sampled_from(pieces), max_size=len(pieces) + 1))
    return whole[:0].join(kept)


@st.composite
def scratched(draw: st.DrawFn, whole: bytes) -> bytes:
    """Data with some changed bytes, possibly truncated."""
    damaged = bytearray(whole)
    for _ in range(draw(st.integers(1, 6))):
        damaged[draw(st.integers(0, len(damaged) - 1))] = draw(st.integers(0, 255))
    return bytes(damaged[: draw(st.integers(0, len(damaged)))])
