"""Where the progress of a run is shown: a bar in a terminal, HTML in a notebook, or lines in a log."""

from __future__ import annotations

import sys
from html import escape
from typing import Any, NamedTuple, Protocol


class Counts(NamedTuple):
    """How far a run is."""

    done: int
    failed: int
    #: How many tasks there are, or are expected.
    total: int
    elapsed_s: float

    @property
    def ended(self) -> int:
        """How many tasks have ended."""
        return self.done + self.failed

    @property
    def percent(self) -> float:
        """How many of 100 tasks have ended."""
        return 100 * self.ended / self.total if self.total else 0.0

    @property
    def text(self) -> str:
        """The numbers, for people."""
        failed = f", {self.failed:,} failed" if self.failed else ""
        rate = f", {self.ended / self.elapsed_s:,.3g} tasks/s" if self.elapsed_s > 0 and self.ended else ""
        return f"{self.done:,} of {self.total:,} done{failed}{rate}"


class Display(Protocol):
    """Shows counts."""

    def show(self, counts: Counts) -> None:
        """Show the present counts."""

    def close(self) -> None:
        """Show nothing any more, but leave what is shown."""


class Bar:
    """A bar on stderr, which is a terminal."""

    def __init__(self, description: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[text]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            auto_refresh=False,
            # Otherwise, what the script writes to a file or a pipe would go to the terminal.
            redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
        )
        self._task = self._progress.add_task(description, total=None, text="")
        self._progress.start()

    def show(self, counts: Counts) -> None:
        """Show the present counts."""
        self._progress.update(
            self._task, completed=counts.ended, total=counts.total or None, text=counts.text, refresh=True
        )

    def close(self) -> None:
        """Leave the bar as it is."""
        self._progress.stop()


class NotebookBar:
    """A bar below the cell of a notebook. It needs no widgets, and stays in the saved notebook."""

    def __init__(self, description: str) -> None:
        self._description = description
        self._handle: Any = None

    def show(self, counts: Counts) -> None:
        """Show the present counts."""
        from IPython.display import HTML, display

        shown = HTML(self.html(counts))  # type: ignore[no-untyped-call]
        if self._handle is None:
            self._handle = display(shown, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(shown)

    def html(self, counts: Counts) -> str:
        """Return what is shown."""
        bar = f'<progress value="{counts.ended}" max="{max(1, counts.total)}" style="width: 20em"></progress>'
        return f"<div>{escape(self._description)} {bar} {escape(counts.text)}</div>"

    def close(self) -> None:
        """Leave the bar as it is."""


class Lines:
    """A line on stderr each time that some per cent more of the tasks have ended.

    Args:
        description: The beginning of each line.
        step: So many per cent.
    """

    def __init__(self, description: str, step: float) -> None:
        self._description = description
        self._step = step
        self._next = step

    def show(self, counts: Counts) -> None:
        """Write a line if it is time for one."""
        if counts.percent < self._next:
            return
        self._next = (counts.percent // self._step + 1) * self._step
        sys.stderr.write(f"{self._description}: {counts.percent:.0f} %, {counts.text}\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Do nothing: lines are complete."""
