"""Which blocks have changed since the last look. No lock and no clock in here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from parsl.executors.blocks.table import Block
from parsl.vocabulary.job_states import JobState
from parsl.vocabulary.run_facts import BlockFacts


class _Known(NamedTuple):
    job_id: object
    state: JobState
    message: str | None


class BlockChanges:
    """Remembers what was last reported about each block. Not thread-safe."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def __repr__(self) -> str:
        return f"<BlockChanges of {len(self._known)} blocks>"

    def take(self, blocks: Iterable[Block], moment_s: float) -> list[BlockFacts]:
        """Return the facts of those of the blocks that have changed."""
        changed = []
        for block in blocks:
            status = block.shown_status
            now = _Known(block.job_id, status.state, status.message)
            if self._known.get(block.block_id) != now:
                self._known[block.block_id] = now
                changed.append(_facts(block.block_id, now, moment_s))
        return changed


def _facts(block_id: str, known: _Known, moment_s: float) -> BlockFacts:
    job_id = None if known.job_id is None else str(known.job_id)
    return BlockFacts(block_id, job_id, known.state.name, known.message or "", moment_s)
