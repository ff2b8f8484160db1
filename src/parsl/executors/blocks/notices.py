"""Warnings about blocks that keep tasks waiting, each shown once."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from parsl.common.notices import warn_user
from parsl.executors.blocks.views import BlockOwner
from parsl.vocabulary.job_states import JobStatus

logger = logging.getLogger(__name__)


class BlocksWarning(UserWarning):
    """Tasks may wait for a long time, because of what a scheduler reports about their blocks."""


class BlockNotices:
    """Shows each warning once: in the log, and as a Python warning on stderr."""

    def __init__(self, owner: BlockOwner) -> None:
        self._owner = owner
        self._shown: set[str] = set()

    def __repr__(self) -> str:
        return f"<BlockNotices {self._owner.label}, {len(self._shown)} shown>"

    def warn_held(self, held: Sequence[tuple[object, JobStatus]]) -> None:
        """Warn about jobs, given by id and status, that do not start until their reason has changed."""
        reasons: dict[tuple[str, bool], list[str]] = {}
        for job_id, status in held:
            reason = status.message or "no reason is given"
            reasons.setdefault((reason, status.can_never_run), []).append(str(job_id))
        for (reason, can_never_run), job_ids in reasons.items():
            what = "can never run" if can_never_run else "will not start while the reason remains"
            jobs = ", ".join(job_ids[:5]) + (", ..." if len(job_ids) > 5 else "")
            self._warn(
                reason, f"Executor {self._owner.label}: job {jobs} {what}. The scheduler reports: {reason}"
            )

    def warn_refused(self, refusal: Exception) -> None:
        self._warn(
            "refused",
            f"Executor {self._owner.label} continues with its present blocks and gets no more. {refusal}",
        )

    def warn_no_blocks(self) -> None:
        self._warn(
            "no blocks",
            f"Executor {self._owner.label} has no blocks: its provider starts with none (init_blocks=0), and "
            "the strategy 'none' starts no others. Tasks wait until your script calls the executor's "
            "scale_out_facade(). Set init_blocks, or write Config(strategy='simple').",
        )

    def _warn(self, key: str, text: str) -> None:
        if key in self._shown:
            return
        logger.warning("%s", text)
        warn_user(text, BlocksWarning)
        self._shown.add(key)
