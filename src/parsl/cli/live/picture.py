"""One picture of a run for a terminal without keys, made with rich."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from parsl.cli.live.cells import VIEWS, View, header_lines
from parsl.cli.live.snapshot import Snapshot
from parsl.eventlog.answers import LOST

#: How many rows of a table are shown.
_MAX_ROWS = 12


def picture(seen: Snapshot) -> RenderableType:
    """Return everything about a run. Tables without rows are left out."""
    parts: list[RenderableType] = [*header(seen)]
    for view in VIEWS:
        rows = view.rows(seen)
        if rows:
            parts += ["", table(view, [cells for _, cells in rows])]
    return Group(*parts)


def header(seen: Snapshot) -> list[RenderableType]:
    """Return what is above the tables."""
    first, second, *others = header_lines(seen)
    counts = seen.progress.counts
    bar = Padding(ProgressBar(total=max(1, counts.total), completed=counts.done + counts.failed), 0)
    style = "bold red" if seen.standing == LOST else "bold"
    failed = "red" if counts.failed else ""
    return [Text(first, style), bar, Text(second, failed), *(Text(line) for line in others)]


def table(view: View, rows: list[list[str]]) -> Table:
    """Return one of the tables."""
    drawn = Table(title=view.title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    last = len(view.headings) - 1
    for place, heading in enumerate(view.headings):
        is_text = place < view.texts or (place == last and view.key != "a") or heading in ("app", "host")
        drawn.add_column(
            heading, justify="left" if is_text else "right", overflow="ellipsis", no_wrap=place != last
        )
    for cells in rows[:_MAX_ROWS]:
        drawn.add_row(*map(Text, cells))
    if len(rows) > _MAX_ROWS:
        drawn.caption = f"and {len(rows) - _MAX_ROWS:,} more"
    return drawn
