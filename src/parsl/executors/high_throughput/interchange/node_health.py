"""Between the interchange's loop and the decisions about bad nodes: from results to what managers get."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from parsl.executors.high_throughput.interchange.bad_nodes import BadNodes, Change, Standing
from parsl.executors.high_throughput.interchange.manager_record import ManagerRecord
from parsl.executors.high_throughput.interchange.state import InterchangeState
from parsl.executors.high_throughput.wire.protocol import (
    FAILED,
    WORKER_LOST,
    DecodeError,
    NodeChange,
    NodeStanding,
    Result,
    decode_failure,
)

logger = logging.getLogger("parsl.htex.interchange")

_MAX_TASKS = {Standing.GOOD: sys.maxsize, Standing.QUARANTINED: 0, Standing.ON_TRIAL: 1}


class NodeHealth:
    """Owned by the interchange's loop.

    Args:
        state: the managers.
        tell_driver: called with what the driver is to know.
        known: what the driver knows of nodes from an interchange that was lost.
        now_s: the time, in seconds.
    """

    def __init__(
        self,
        state: InterchangeState,
        tell_driver: Callable[[NodeChange], None],
        known: Iterable[NodeStanding] = (),
        now_s: float = 0.0,
    ) -> None:
        self._state = state
        self._tell_driver = tell_driver
        self._nodes = BadNodes()
        for node in known:
            self._nodes.restore(node.host, node.times_quarantined, node.left_s, now_s)

    def __repr__(self) -> str:
        return f"<NodeHealth {self._nodes!r}>"

    def registered(self, record: ManagerRecord) -> None:
        """A manager has come: perhaps to a node that is set aside."""
        record.most_tasks = _MAX_TASKS[self._nodes.standing_of(record.host)]

    def results(self, record: ManagerRecord, results: Sequence[Result], now_s: float) -> None:
        """A manager has brought results."""
        failed = [result.payload for result in results if result.status == FAILED]
        lost = sum(map(_is_worker_lost, failed)) if failed else 0
        change = self._nodes.ended(record.host, len(results) - len(failed), lost, now_s, self._usable)
        if change is not None:
            self._apply(change, now_s)

    def look(self, now_s: float) -> None:
        """Time has passed, or managers have gone."""
        # Before all managers have come again, a node may look like the only one that is left.
        if self._nodes.has_bad and self._state.restoration is None:
            for change in self._nodes.look(now_s, self._usable()):
                self._apply(change, now_s)

    def _usable(self) -> set[str]:
        records = self._state.managers.values()
        return {record.host for record in records if record.is_here and not record.is_leaving}

    def _apply(self, change: Change, now_s: float) -> None:
        logger.warning("%s", change.text)
        self._state.limit_host(change.host, _MAX_TASKS[change.standing])
        standing = NodeStanding(change.host, *self._nodes.times_and_left(change.host, now_s))
        self._tell_driver(NodeChange(change.host, change.text, change.is_warning, standing))


def _is_worker_lost(payload: Any) -> bool:
    try:
        return decode_failure(payload).kind == WORKER_LOST
    except DecodeError:
        return False
