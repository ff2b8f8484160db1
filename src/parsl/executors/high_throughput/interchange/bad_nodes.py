"""Nodes on which worker after worker ends under its task, while tasks succeed elsewhere: they get no more.

No socket, process or clock in here: told what has become of tasks and when, it answers which nodes to set
aside and which to try again. It is about the ends of workers only: what a task raises, its walltime and its
memory limit are its own doing.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Collection
from typing import NamedTuple

#: So many workers must have ended in a row on a node, at least: more than one task alone can cost.
MIN_LOSSES = 4
#: How likely such a row may be where the node is as good as the others, judged by what happens there.
MAX_LIKELY = 1e-6
#: How long a node is set aside, in seconds; twice as long each time, up to the second.
FIRST_PAUSE_S = 60.0
MAX_PAUSE_S = 3600.0


class Standing(enum.Enum):
    """How much a node is trusted with."""

    GOOD = enum.auto()
    QUARANTINED = enum.auto()  #: it gets no tasks
    ON_TRIAL = enum.auto()  #: it gets one task at a time, until one succeeds


class Change(NamedTuple):
    """A node's standing is another from now on."""

    host: str
    standing: Standing
    text: str
    #: Whether users are to be told, where they look.
    is_warning: bool = False


class _Node:
    """What is remembered of a node on which a worker has ended."""

    def __init__(self) -> None:
        self.standing = Standing.GOOD
        #: Workers that have ended since a task last succeeded here.
        self.losses = 0
        #: What had become of all tasks when those began.
        self.succeeded_before = 0
        self.lost_before = 0
        self.times_quarantined = 0
        self.until_s = 0.0

    @property
    def pause_s(self) -> float:
        return min(MAX_PAUSE_S, FIRST_PAUSE_S * 2.0 ** (self.times_quarantined - 1))


class BadNodes:
    """Which nodes are set aside. Belongs to the interchange's loop."""

    def __init__(self) -> None:
        self._nodes: dict[str, _Node] = {}
        self._succeeded = 0
        self._lost = 0

    def __repr__(self) -> str:
        aside = sum(node.standing is Standing.QUARANTINED for node in self._nodes.values())
        return f"<BadNodes aside={aside} of {len(self._nodes)} with losses>"

    @property
    def has_bad(self) -> bool:
        """Whether there is a node that is not trusted as others are."""
        return any(node.standing is not Standing.GOOD for node in self._nodes.values())

    def restore(self, host: str, times_quarantined: int, left_s: float | None, now_s: float) -> None:
        """Take over what is known of a node.

        Args:
            host: the node.
            times_quarantined: how often it has been set aside.
            left_s: how long it gets no tasks yet, in seconds; 0 while it is tried; None when it is good.
            now_s: the time, in seconds.
        """
        node = self._nodes[host] = _Node()
        node.times_quarantined = times_quarantined
        if left_s is not None:
            node.standing = Standing.QUARANTINED if left_s > 0 else Standing.ON_TRIAL
            node.until_s = now_s + left_s

    def times_and_left(self, host: str, now_s: float) -> tuple[int, float | None]:
        """What `restore` needs, in that order."""
        node = self._nodes.get(host)
        if node is None or node.standing is Standing.GOOD:
            return (0 if node is None else node.times_quarantined), None
        on_trial = node.standing is Standing.ON_TRIAL
        return node.times_quarantined, 0.0 if on_trial else max(0.0, node.until_s - now_s)

    def standing_of(self, host: str) -> Standing:
        """How much a node is trusted with."""
        node = self._nodes.get(host)
        return Standing.GOOD if node is None else node.standing

    def ended(
        self, host: str, succeeded: int, lost: int, now_s: float, others: Callable[[], Collection[str]]
    ) -> Change | None:
        """Tasks have ended on a node.

        Args:
            host: the node.
            succeeded: how many have come home from their workers, with whatever result.
            lost: how many have ended with their workers.
            now_s: the time, in seconds.
            others: called for the nodes that take tasks.

        Returns:
            What follows from that for the node, if anything does.
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
        if lost and self._is_bad(node) and self._is_any(others(), but=host):
            return self._set_aside(host, node, now_s)
        return None

    def _succeeded_on(self, host: str, node: _Node) -> Change | None:
        node.losses = 0
        if node.standing is not Standing.ON_TRIAL:
            return None
        node.standing = Standing.GOOD
        return Change(
            host, Standing.GOOD, f"Node {host} is used again as before: a task has succeeded there."
        )

    def _is_bad(self, node: _Node) -> bool:
        if node.standing is Standing.ON_TRIAL:
            return True
        if node.standing is Standing.QUARANTINED or node.losses < MIN_LOSSES:
            return False
        succeeded, lost = self._elsewhere(node)
        likelihood = (lost + 1) / (succeeded + lost + 2)
        return succeeded > 0 and node.losses * math.log(likelihood) < math.log(MAX_LIKELY)

    def _elsewhere(self, node: _Node) -> tuple[int, int]:
        """How many tasks have succeeded and how many were lost on other nodes, since it began on this one."""
        return self._succeeded - node.succeeded_before, self._lost - node.lost_before - node.losses

    def _is_any(self, hosts: Collection[str], but: str) -> bool:
        return any(host != but and self.standing_of(host) is Standing.GOOD for host in hosts)

    def _set_aside(self, host: str, node: _Node, now_s: float) -> Change:
        node.times_quarantined += 1
        node.until_s = now_s + node.pause_s
        if node.standing is Standing.ON_TRIAL:
            why = "the worker of the task that it was tried with has ended, too"
        else:
            why = (
                f"{node.losses} workers have ended there under their tasks, one after the other, while "
                f"{self._elsewhere(node)[0]} tasks have succeeded on other nodes"
            )
        node.standing = Standing.QUARANTINED
        node.losses = 0
        text = (
            f"Node {host} is set aside: {why}. It gets no tasks for {node.pause_s:g} s, and is then tried "
            "with one. Its manager.log and the system's own log (dmesg) may tell what is wrong with it."
        )
        return Change(host, Standing.QUARANTINED, text, is_warning=node.times_quarantined == 1)

    def look(self, now_s: float, usable: Collection[str]) -> list[Change]:
        """Time has passed, or nodes have come or gone.

        Args:
            now_s: the time, in seconds.
            usable: the nodes that take tasks, or would if they were not set aside.

        Returns:
            The nodes to be used again: on trial when their time is over, all of them if there is no other.
        """
        aside = [host for host in usable if self.standing_of(host) is not Standing.GOOD]
        if not aside:
            return []
        if len(aside) == len(set(usable)):
            return [self._use(host, Standing.GOOD, "no other is left") for host in aside]
        over = [
            host
            for host in aside
            if self.standing_of(host) is Standing.QUARANTINED and now_s >= self._nodes[host].until_s
        ]
        return [self._use(host, Standing.ON_TRIAL, "to find out, with one task at a time") for host in over]

    def _use(self, host: str, standing: Standing, why: str) -> Change:
        self._nodes[host].standing = standing
        self._nodes[host].losses = 0
        return Change(host, standing, f"Node {host} is tried again: {why}.")
