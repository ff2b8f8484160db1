"""Warnings about managers, their nodes and their workers: in the log, and as Python warnings on stderr."""

from __future__ import annotations

import logging

from parsl.common.notices import warn_user
from parsl.executors.high_throughput.errors import BadNodeWarning, ManagerRefusedWarning, WorkersWarning
from parsl.executors.high_throughput.wire.protocol import ManagerInfo, ManagerRefused, NodeChange

logger = logging.getLogger(__name__)


class ManagerWarnings:
    """Warns the user of an executor of what the interchange reports. Owned by the I/O thread."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._has_refused = False
        #: The blocks about whose workers the user was warned.
        self._blocks: set[str] = set()
        #: The longest run time that a task expects, until there was a warning about it.
        self._longest_runtime_s = 0.0

    def __repr__(self) -> str:
        return f"<ManagerWarnings {self._label} blocks={len(self._blocks)}>"

    def note_runtime(self, runtime_s: float) -> None:
        """Record how long a task expects to run (seconds). Any thread may call this."""
        self._longest_runtime_s = max(self._longest_runtime_s, runtime_s)

    def warn_of_time(self, info: ManagerInfo) -> None:
        """Log once if tasks take longer than a block has left when its manager connects."""
        if info.ends_in_s is not None and info.ends_in_s < self._longest_runtime_s:
            logger.warning(
                "Executor %s: a manager of block %s has connected with %.0f s left, but a task takes %g s. "
                "If all blocks take so long to start, the task never runs: set a longer walltime.",
                self._label, info.block, info.ends_in_s, self._longest_runtime_s,
            )  # fmt: skip
            self._longest_runtime_s = 0.0

    def warn_of_workers(self, info: ManagerInfo, notice: str) -> None:
        """Show a manager's notice about its workers, once for each block."""
        if info.block in self._blocks:
            return
        self._blocks.add(info.block)
        self._warn(f"Executor {self._label}, block {info.block} on {info.host}: {notice}", WorkersWarning)

    def warn_of_node(self, change: NodeChange) -> None:
        """Warn of a node that was quarantined, or is used again."""
        self._warn(f"Executor {self._label}: {change.text}", BadNodeWarning if change.is_warning else None)

    def warn_of_refused(self, refused: ManagerRefused) -> None:
        """Warn of a refused manager while others are connected."""
        text = (
            f"Executor {self._label} continues without a manager that was refused: that of block "
            f"{refused.block} on {refused.host} runs {refused.manager_version}, the driver "
            f"{refused.driver_version}. Its node does no work. Start both from the same environment: check "
            "worker_init and launch_cmd. (This warning is shown once; the log has later ones.)"
        )
        self._warn(text, None if self._has_refused else ManagerRefusedWarning)
        self._has_refused = True

    def _warn(self, text: str, category: type[Warning] | None) -> None:
        logger.warning("%s", text)
        if category is not None:
            warn_user(text, category)
