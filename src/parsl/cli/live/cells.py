"""The rows of the tables of ``parsl top``, as text: for the screen with keys, and for the plain one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from parsl.cli import counted
from parsl.cli.live.snapshot import Snapshot
from parsl.eventlog.answers import duration
from parsl.eventlog.failure_groups import FailureGroup

_GB = 1e9
#: The headings of columns with numbers or durations.
_NUMBERS = frozenset((
    "waiting", "launched", "running", "done", "failed", "median", "max", "for", "nodes", "workers", "memory",
    "retried", "never run",
))  # fmt: skip


class View(NamedTuple):
    """A table: its key on the keyboard, its headings, and how its rows are made.

    ``rows`` returns the key and the cells of each row.
    """

    key: str
    title: str
    headings: tuple[str, ...]
    rows: Callable[[Snapshot], list[tuple[str, list[str]]]]

    def side_of(self, place: int) -> Literal["left", "right"]:
        """Return at which side the text of a column is: numbers are at the right."""
        return "right" if self.headings[place] in _NUMBERS else "left"


def _number(value: int) -> str:
    return f"{value:,}" if value else "-"


def _apps(seen: Snapshot) -> list[tuple[str, list[str]]]:
    return [
        (str(app.number), [app.name, *map(_number, app.counts), duration(app.median_s), duration(app.max_s)])
        for app in seen.apps
    ]


def _blocks(seen: Snapshot) -> list[tuple[str, list[str]]]:
    rows = []
    for block in seen.blocks:
        for_s = duration(max(0.0, seen.now_s - block.since_s)) if seen.is_live else ""
        cells = [
            block.executor, block.block, block.job or "-", block.state, for_s, _number(block.nodes),
            _number(block.workers), block.reason.strip().partition("\n")[0],
        ]  # fmt: skip
        rows.append((f"{block.executor} {block.block}", cells))
    return rows


def _nodes(seen: Snapshot) -> list[tuple[str, list[str]]]:
    rows = []
    for number, node in enumerate(seen.nodes):
        memory = f"{node.total_memory / _GB:.0f} GB" if node.total_memory else ""
        standing = node.standing or ("connected" if seen.is_live else "until the end")
        numbers = (_number(node.workers), _number(node.running))
        cells = [node.host, node.executor, node.block, *numbers, memory, standing]
        rows.append((f"{node.executor} {node.manager} {number}", cells))
    return rows


def _failures(seen: Snapshot) -> list[tuple[str, list[str]]]:
    names = {app.number: app.name for app in seen.apps}
    rows = []
    for group in seen.failures:
        numbers = map(_number, (group.failed, group.tried_again, group.followers))
        apps = _listed([names.get(app, "?") for app in group.apps])
        rows.append((str(group.number), [*numbers, apps, _listed(list(group.hosts)), cause(group)]))
    return rows


def cause(group: FailureGroup) -> str:
    """Return the cause of a group of failures in one line."""
    return f"{group.short_error}: {group.pattern}" if group.error else group.pattern


def _listed(names: list[str]) -> str:
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")


VIEWS = (
    View("a", "Apps", ("app", "waiting", "launched", "running", "done", "failed", "median", "max"), _apps),
    View("b", "Blocks", ("executor", "block", "job", "state", "for", "nodes", "workers", "reason"), _blocks),
    View("n", "Nodes", ("node", "executor", "block", "workers", "running", "memory", "standing"), _nodes),
    View("f", "Failures", ("failed", "retried", "never run", "app", "host", "cause"), _failures),
)


def rate_text(per_s: float) -> str:
    """Return a rate with a unit that suits it."""
    for factor, unit in ((1, "s"), (60, "min"), (3600, "h")):
        if per_s * factor >= 1 or unit == "h":
            rate = per_s * factor
            return f"{rate:,.0f} tasks/{unit}" if rate >= 10 else f"{rate:.2g} tasks/{unit}"
    return ""


def header_lines(seen: Snapshot) -> list[str]:
    """Return the lines above the tables: state, progress, rate with estimate, and what holds the run up."""
    progress, counts = seen.progress, seen.progress.counts
    took = duration(progress.elapsed_s) or "0 s"
    standing = f"{seen.standing}, after {took}" if not seen.is_live else f"{seen.standing} for {took}"
    ended, total = counts.done + counts.failed, counts.total
    share = f" ({ended / total:.0%})" if total else ""
    where = f" on {seen.host}" if seen.host else ""
    open_tasks = f"{counts.waiting:,} waiting, {counts.launched:,} launched, {counts.running:,} running"
    lines = [
        f"{seen.workflow or 'run'}: {standing}   {seen.run_dir}{where}",
        f"{counts.done:,} of {total:,} tasks done, {counts.failed:,} failed{share}; {open_tasks}",
        _rate_line(seen),
    ]
    if seen.share_read < 1:
        lines.append(f"reading the event log: {seen.share_read:.0%}")
    return [*lines, *seen.reasons, *seen.notes]


def _rate_line(seen: Snapshot) -> str:
    progress = seen.progress
    if not seen.is_live:
        return f"{rate_text(progress.rate)} on average"
    remaining_s, basis = progress.estimate
    left = f"about {duration(remaining_s)} left, {basis}" if remaining_s else f"no estimate: {basis}"
    if remaining_s == 0:
        left = basis
    connected = [node for node in seen.nodes if node.is_connected]
    workers = sum(node.workers for node in connected)
    busy = ""
    if workers:
        nodes = counted(len(connected), "node")
        busy = f"; {progress.busy_workers:.0f} of {workers:,} workers busy, {nodes}"
    return f"{rate_text(progress.rate)}; {left}{busy}"
