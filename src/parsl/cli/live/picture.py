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


def header(seen: Snapshot, *, with_bar: bool = True) -> list[RenderableType]:
    """Return what is above the tables. The bar needs colours, or a console of rich's without any."""
    first, second, *others = header_lines(seen)
    counts = seen.progress.counts
    bar = ProgressBar(
        total=max(1, counts.total),
        completed=counts.done + counts.failed,
        complete_style="green",
        finished_style="green",
    )
    style = "bold red" if seen.standing == LOST else "bold"
    numbers = Text(second)
    if counts.failed:
        numbers.highlight_regex(r"[\d,]+ failed", "red")
    bars = [Padding(bar, 0)] if with_bar else []
    return [Text(first, style), *bars, numbers, *(Text(line) for line in others)]


def table(view: View, rows: list[list[str]]) -> Table:
    """Return one of the tables."""
    drawn = Table(title=view.title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    last = len(view.headings) - 1
    for place, heading in enumerate(view.headings):
        drawn.add_column(heading, justify=view.side_of(place), overflow="ellipsis", no_wrap=place != last)
    for cells in rows[:_MAX_ROWS]:
        drawn.add_row(*map(Text, cells))
    if len(rows) > _MAX_ROWS:
        drawn.caption = f"and {len(rows) - _MAX_ROWS:,} more"
    return drawn
