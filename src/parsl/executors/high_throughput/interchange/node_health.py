"""Quarantine for nodes on which worker after worker is lost while tasks succeed elsewhere.

Only losses of workers count. An exception of a task, its walltime and its memory limit are the task's own
failures.
"""

from __future__ import annotations

import enum
import logging
import math
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from parsl.executors.high_throughput.interchange.driver_link import DriverLink
from parsl.executors.high_throughput.interchange.manager import Manager
from parsl.executors.high_throughput.interchange.state import InterchangeState
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.protocol import NodeStanding, Result

logger = logging.getLogger("parsl.htex.interchange")

#: At least this many workers in a row must be lost on a node: more than one task alone can cost.
MIN_LOSSES = 4
#: The row of losses must be less probable than this on a node that is as good as the others.
MAX_PROBABILITY = 1e-6
#: How long the first quarantine lasts (seconds). The time doubles with each one, up to the maximum.
FIRST_QUARANTINE_S = 60.0
MAX_QUARANTINE_S = 3600.0


class Standing(enum.Enum):
    """How many tasks a manager on a node may have."""

    GOOD = sys.maxsize
    QUARANTINED = 0
    ON_TRIAL = 1  #: one task at a time, until one succeeds


class Change(NamedTuple):
    """A new standing of a node."""

    host: str
    standing: Standing
    text: str
    is_warning: bool = False


@dataclass
class _Node:
    """The history of a node on which a worker was lost."""

    standing: Standing = Standing.GOOD
    #: Workers that were lost since a task last succeeded here.
    losses: int = 0
    #: How many tasks of all nodes had succeeded or were lost when this row of losses began.
    succeeded_before: int = 0
    lost_before: int = 0
    times_quarantined: int = 0
    until_s: float = 0.0

    @property
    def quarantine_s(self) -> float:
        return min(MAX_QUARANTINE_S, FIRST_QUARANTINE_S * 2.0 ** (self.times_quarantined - 1))


class NodeStandings:
    """The standing of each node. No clock, socket or manager in here."""

    def __init__(self) -> None:
        self._nodes: dict[str, _Node] = {}
        self._succeeded = 0
        self._lost = 0

    def __repr__(self) -> str:
        quarantined = sum(node.standing is Standing.QUARANTINED for node in self._nodes.values())
        return f"<NodeStandings quarantined={quarantined} of {len(self._nodes)} with losses>"

    @property
    def has_bad(self) -> bool:
        return any(node.standing is not Standing.GOOD for node in self._nodes.values())

    def restore(self, known: NodeStanding, now_s: float) -> None:
        """Continue with what a lost interchange had reported of a node."""
        node = self._nodes[known.host] = _Node()
        node.times_quarantined = known.times_quarantined
        if known.left_s is not None:
            node.standing = Standing.QUARANTINED if known.left_s > 0 else Standing.ON_TRIAL
            node.until_s = now_s + known.left_s

    def export(self, host: str, now_s: float) -> NodeStanding:
        """Return what `restore` needs."""
        node = self._nodes.get(host, _Node())
        left_s = max(0.0, node.until_s - now_s) if node.standing is Standing.QUARANTINED else 0.0
        return NodeStanding(host, node.times_quarantined, None if node.standing is Standing.GOOD else left_s)

    def of(self, host: str) -> Standing:
        return self._nodes[host].standing if host in self._nodes else Standing.GOOD

    def ended(
        self, host: str, succeeded: int, lost: int, now_s: float, usable: Iterable[str]
    ) -> Change | None:
        """Count tasks that have ended on a node, and return its new standing if that changes.

        Tasks that return any result have succeeded; the others are lost with their workers. `usable` are the
        nodes that take tasks, or would in good standing; it is read only when needed.
        """
        node = self._nodes.get(host)
        if lost and node is None:
            node = self._nodes[host] = _Node()
        if node is not None and lost and not node.losses:
            node.succeeded_before, node.lost_before = self._succeeded, self._lost
        self._succeeded += succeeded
        self._lost += lost
        if node is None:
            return None
        if succeeded:
            return self._succeeded_on(host, node)
        node.losses += lost
        is_bad = lost and self._is_bad(node)
        if is_bad and any(each != host and self.of(each) is Standing.GOOD for each in usable):
            return self._quarantine(host, node, now_s)
        return None

    def _succeeded_on(self, host: str, node: _Node) -> Change | None:
        node.losses = 0
        if node.standing is not Standing.ON_TRIAL:
            return None
        node.standing = Standing.GOOD
        return Change(
            host, node.standing, f"Node {host} leaves quarantine for good: a task has succeeded there."
        )

    def _is_bad(self, node: _Node) -> bool:
        if node.standing is Standing.ON_TRIAL:
            return True
        if node.standing is Standing.QUARANTINED or node.losses < MIN_LOSSES:
            return False
        succeeded, lost = self._elsewhere(node)
        probability = (lost + 1) / (succeeded + lost + 2)
        return succeeded > 0 and node.losses * math.log(probability) < math.log(MAX_PROBABILITY)

    def _elsewhere(self, node: _Node) -> tuple[int, int]:
        """Count the tasks that succeeded, and were lost, on other nodes since the row of losses began."""
        return self._succeeded - node.succeeded_before, self._lost - node.lost_before - node.losses

    def _quarantine(self, host: str, node: _Node, now_s: float) -> Change:
        node.times_quarantined += 1
        node.until_s = now_s + node.quarantine_s
        if node.standing is Standing.ON_TRIAL:
            why = "the worker of the trial task was lost, too"
        else:
            why = (
                f"{node.losses} workers in a row were lost there under their tasks, while "
                f"{self._elsewhere(node)[0]} tasks succeeded on other nodes"
            )
        node.standing = Standing.QUARANTINED
        node.losses = 0
        text = (
            f"Node {host} is quarantined: {why}. It gets no tasks for {node.quarantine_s:g} s, then one task "
            "as a trial. Its manager.log and the system's own log (dmesg) may show what is wrong with it."
        )
        return Change(host, Standing.QUARANTINED, text, is_warning=node.times_quarantined == 1)

    def review(self, now_s: float, usable: Collection[str]) -> list[Change]:
        """Return new standings: nodes go on trial after their time, and are good if there is no other."""
        bad = [host for host in usable if self.of(host) is not Standing.GOOD]
        if not bad:
            return []
        if len(bad) == len(set(usable)):
            return [self._use(host, Standing.GOOD, "no other node is left") for host in bad]
        quarantined = [host for host in bad if self.of(host) is Standing.QUARANTINED]
        over = [host for host in quarantined if now_s >= self._nodes[host].until_s]
        return [self._use(host, Standing.ON_TRIAL, "one task at a time, as a trial") for host in over]

    def _use(self, host: str, standing: Standing, why: str) -> Change:
        self._nodes[host].standing = standing
        self._nodes[host].losses = 0
        return Change(host, standing, f"Node {host} gets tasks again: {why}.")


class NodeHealth:
    """Applies the standings of nodes to their managers. Owned by the interchange's loop."""

    def __init__(
        self, state: InterchangeState, driver: DriverLink, known: Iterable[NodeStanding], now_s: float
    ) -> None:
        self._state = state
        self._driver = driver
        self._standings = NodeStandings()
        for node in known:
            self._standings.restore(node, now_s)

    def __repr__(self) -> str:
        return f"<NodeHealth {self._standings!r}>"

    def registered(self, manager: Manager) -> None:
        manager.max_tasks = self._standings.of(manager.host).value

    def finished(self, manager: Manager, results: Sequence[Result], now_s: float) -> None:
        failed = [result.payload for result in results if result.status == protocol.FAILED]
        lost = sum(map(_is_worker_lost, failed)) if failed else 0
        succeeded = len(results) - len(failed)
        change = self._standings.ended(manager.host, succeeded, lost, now_s, self._usable())
        if change is not None:
            self._apply(change, now_s)

    def review(self, now_s: float) -> None:
        """End quarantines, after time has passed or managers have gone."""
        # Before all managers have come back, a node may look like the only one that is left.
        if self._standings.has_bad and self._state.restoration is None:
            for change in self._standings.review(now_s, set(self._usable())):
                self._apply(change, now_s)

    def _usable(self) -> Iterator[str]:
        for manager in self._state.managers.values():
            if manager.is_connected and not manager.is_leaving:
                yield manager.host

    def _apply(self, change: Change, now_s: float) -> None:
        logger.warning("%s", change.text)
        self._state.limit_host(change.host, change.standing.value)
        standing = self._standings.export(change.host, now_s)
        self._driver.send(protocol.NodeChange(change.host, change.text, change.is_warning, standing))


def _is_worker_lost(payload: Any) -> bool:
    try:
        return protocol.decode_failure(payload).kind == protocol.WORKER_LOST
    except protocol.DecodeError:
        return False
