"""What users are told about blocks while they wait: in the log, and once where they look."""

from __future__ import annotations

import logging

from parsl.common.notices import warn_user

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    from parsl.vocabulary.job_states import JobStatus

    class Labelled(Protocol):
        """What has a name for its user."""

        label: str


logger = logging.getLogger(__name__)


class BlocksWarning(UserWarning):
    """Tasks may wait for long, because of what a scheduler says about their blocks."""


class BlockNotices:
    """Tells each thing once: as a warning of the logger ``parsl``, and as a Python warning, on stderr.

    Args:
        owner: The executor; its label may not be known yet.
    """

    def __init__(self, owner: Labelled) -> None:
        self._owner = owner
        self._told: set[str] = set()

    def __repr__(self) -> str:
        return f"<BlockNotices {self._owner.label}, {len(self._told)} told>"

    def tell_held(self, held: Sequence[tuple[object, JobStatus]]) -> None:
        """Tell of jobs that will not start before somebody does something.

        Args:
            held: Job ids, and what is known of each.
        """
        reasons: dict[tuple[str, bool], list[str]] = {}
        for job_id, status in held:
            reason = status.message or "the scheduler does not say why"
            reasons.setdefault((reason, status.is_for_good), []).append(str(job_id))
        for (reason, is_for_good), job_ids in reasons.items():
            what = "can never run" if is_for_good else "will not start before somebody releases it"
            jobs = ", ".join(job_ids[:5]) + (", ..." if len(job_ids) > 5 else "")
            said = f"Executor {self._owner.label}: job {jobs} {what}. The scheduler says: {reason}"
            self._tell(reason, said)

    def tell_refused(self, refusal: Exception) -> None:
        """Tell that no more blocks can be had, though there are some."""
        self._tell(
            "refused",
            f"Executor {self._owner.label} goes on with the blocks that it has, and gets no more. {refusal}",
        )

    def _tell(self, key: str, text: str) -> None:
        if key in self._told:
            return
        logger.warning("%s", text)
        warn_user(text, BlocksWarning)
        self._told.add(key)
