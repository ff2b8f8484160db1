"""``parsl top`` with textual: tables that follow the run, and keys to look into what they list."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import DataTable, Footer, Input, Static, TabbedContent, TabPane

from parsl.cli.live import details
from parsl.cli.live.cells import VIEWS, View
from parsl.cli.live.picture import header
from parsl.cli.live.snapshot import Snapshot, snapshot
from parsl.eventlog.watch import RunWatch

#: How often the screen follows the run (s); shorter while the log is being read for the first time.
_PERIOD_S = 0.5
_READING_PERIOD_S = 0.02
_READ_BYTES = 4 * 1024 * 1024


class DetailScreen(ModalScreen[None]):
    """A text about one thing, above the tables. It follows the run, too."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss", "Back"),
        Binding("down,j", "scroll(1)", "Down", show=False),
        Binding("up,k", "scroll(-1)", "Up", show=False),
    ]

    def __init__(self, describe: Callable[[], str]) -> None:
        super().__init__()
        self._describe = describe

    def compose(self) -> ComposeResult:
        """Lay out the text."""
        with VerticalScroll():
            yield Static(Text(self._describe()), id="detail")
        yield Footer()

    def on_mount(self) -> None:
        """Begin to follow the run."""
        self.set_interval(2.0, self._refresh_text)

    def _refresh_text(self) -> None:
        self.query_one("#detail", Static).update(Text(self._describe()))

    def action_scroll(self, lines: int) -> None:
        """Move the text."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


class TaskNumberScreen(ModalScreen[int | None]):
    """Requests the number of a task."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "Back")]

    def compose(self) -> ComposeResult:
        """Lay out the field."""
        yield Input(placeholder="number of a task", type="integer", id="number")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Return the number."""
        self.dismiss(int(event.value) if event.value.isdecimal() else None)


class TopScreen(App[None]):
    """The tables of a run.

    Args:
        watch: The run.
        run_dir: Its directory.
    """

    CSS = """
    #header { padding: 0 1; height: auto; max-height: 40%; overflow-y: auto; }
    Screen { overflow: hidden; }
    TabbedContent, ContentSwitcher, TabPane { height: 1fr; }
    TabPane { padding: 0; }
    DataTable { height: 1fr; }
    DataTable:nocolor > .datatable--cursor { text-style: reverse; }
    Tab.-active:nocolor { text-style: bold reverse; }
    DetailScreen, TaskNumberScreen { align: center middle; background: $background 60%; }
    DetailScreen VerticalScroll { background: $surface; padding: 1 2; margin: 2 4; }
    TaskNumberScreen Input { width: 40; max-width: 90%; }
    """
    ENABLE_COMMAND_PALETTE = False
    TITLE = "parsl top"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(view.key, f"show('{view.key}')", view.title) for view in VIEWS),
        Binding("t", "find_task", "Task"),
        Binding("q", "quit", "Quit"),
    ]

    def __init__(self, watch: RunWatch, run_dir: str) -> None:
        # With colours of its own, textual turns to shades of grey instead of none.
        self._has_colours = not os.environ.get("NO_COLOR")
        super().__init__(ansi_color=not self._has_colours)
        self._watch = watch
        self._run_dir = run_dir
        self._seen: Snapshot = snapshot(watch, run_dir)

    def compose(self) -> ComposeResult:
        """Lay out the screen."""
        yield Static(id="header")
        with TabbedContent(id="views"):
            for view in VIEWS:
                with TabPane(view.title, id=f"pane-{view.key}"):
                    yield DataTable(id=f"table-{view.key}", cursor_type="row", zebra_stripes=True)
        yield Footer()

    def on_mount(self) -> None:
        """Begin to follow the run."""
        for view in VIEWS:
            table = self._table(view.key)
            for place, heading in enumerate(view.headings):
                table.add_column(Text(heading, justify=view.side_of(place)), key=heading)
        self.action_show("a")
        self._follow()

    def _follow(self) -> None:
        if not (self.is_running and self.screen_stack):  # it is being closed
            return
        self._watch.advance(_READ_BYTES)
        self._seen = seen = snapshot(self._watch, self._run_dir)
        from rich.console import Group

        main = self.screen_stack[0]
        main.query_one("#header", Static).update(Group(*header(seen, with_bar=self._has_colours)))
        for view in VIEWS:
            _fill(self._table(view.key), view, view.rows(seen))
        if seen.is_live or seen.share_read < 1:
            self.set_timer(_PERIOD_S if seen.share_read >= 1 else _READING_PERIOD_S, self._follow)

    def _table(self, key: str) -> DataTable[Text]:
        return self.screen_stack[0].query_one(f"#table-{key}", DataTable)

    def action_show(self, key: str) -> None:
        """Show one of the tables."""
        self.query_one("#views", TabbedContent).active = f"pane-{key}"
        self._table(key).focus()

    def action_find_task(self) -> None:
        """Request a number, and show that task."""

        def show(number: int | None) -> None:
            if number is not None:
                self.push_screen(DetailScreen(lambda: details.task_text(self._watch, number, self._run_dir)))

        self.push_screen(TaskNumberScreen(), show)

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Show what a row is about."""
        key = event.row_key.value
        if key is not None:
            self.push_screen(DetailScreen(self._describer(event.data_table.id or "", key)))

    def _describer(self, table: str, key: str) -> Callable[[], str]:
        watch = self._watch
        if table == "table-a":
            return lambda: details.app_text(watch, int(key), self._seen.now_s)
        if table == "table-b":
            executor, block = key.split(" ")
            return lambda: details.block_text(watch, executor, block)
        if table == "table-n":
            executor, manager, _ = key.split(" ")
            return lambda: details.node_text(watch, executor, manager, self._seen.now_s)
        group = next(group for group in watch.failures.largest_first() if str(group.number) == key)
        return lambda: details.failure_text(watch, group, self._run_dir)


def _fill(table: DataTable[Text], view: View, rows: list[tuple[str, list[str]]]) -> None:
    """Show rows in a table; the cursor stays on its row."""
    if [key for key, _ in rows] != [key.value for key in table.rows]:
        place = table.cursor_row
        table.clear()
        for key, cells in rows:
            table.add_row(*_texts(view, cells), key=key)
        table.move_cursor(row=min(place, max(0, len(rows) - 1)))
        return
    for key, cells in rows:
        for heading, cell in zip(view.headings, _texts(view, cells), strict=True):
            if table.get_cell(key, heading) != cell:
                table.update_cell(key, heading, cell, update_width=True)


def _texts(view: View, cells: list[str]) -> list[Text]:
    """Return cells, numbers at the right, failures in red."""
    texts = []
    for place, (heading, cell) in enumerate(zip(view.headings, cells, strict=True)):
        is_failure = heading in ("failed", "never run") and cell != "-"
        texts.append(Text(cell, style="red" if is_failure else "", justify=view.side_of(place)))
    return texts
