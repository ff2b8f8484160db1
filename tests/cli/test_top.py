"""``parsl top``: one picture, JSON, and the screen with keys, driven by textual's pilot."""

from __future__ import annotations

import asyncio
import fcntl
import io
import json
import os
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from rich.console import Console
from textual.widgets import DataTable, Static

from parsl.cli.live import details
from parsl.cli.live.cells import header_lines, rate_text
from parsl.cli.live.picture import picture
from parsl.cli.live.plain import show_live
from parsl.cli.live.screen import DetailScreen, TopScreen
from parsl.cli.live.snapshot import snapshot
from parsl.cli.main import main
from parsl.common.processes import started_at
from parsl.eventlog import records
from parsl.eventlog.file import EventFile
from parsl.eventlog.watch import RunWatch
from parsl.vocabulary.task_states import States
from tests.support.event_logs import BEGAN_S, ended_row, run_began, write_event_log


@pytest.fixture
def failed_run(tmp_path):
    """The directory of a run with failures that has ended."""
    write_event_log(tmp_path / "000", 1000, fail_every=10)
    return str(tmp_path / "000")


@pytest.fixture
def live_run(tmp_path):
    """A run that goes on in this process, with a pending block: its directory, and the log to append to."""
    directory = tmp_path / "001"
    directory.mkdir()
    file = EventFile(str(directory / records.EVENT_LOG))
    file.write(run_began(pid=os.getpid(), process_started=started_at(os.getpid())))
    file.write(records.Executors([records.ExecutorFacts("htex", "HTEX", "PBSProProvider")]))
    file.write(records.Apps(["analyse"]))
    launched = [
        records.TaskRow(n, 0, 0, int(States.launched), 0, BEGAN_S, BEGAN_S) for n in range(3)
    ]  # fmt: skip
    file.write(records.Tasks(launched))
    file.write(records.BlockChanged(0, BEGAN_S, "0", "4711", "PENDING", "Not Running: no node is free"))
    yield str(directory), file
    file.close()


def printed_picture(run: str, width: int = 120) -> str:
    with RunWatch(run) as watch:
        watch.read_to_end()
        console = Console(file=io.StringIO(), width=width, record=True)
        console.print(picture(snapshot(watch, run)))
    return console.export_text()


def on_screen(
    run: str, scenario: Callable[[TopScreen, object], Awaitable[None]], size: tuple[int, int] = (100, 30)
) -> None:
    async def drive() -> None:
        with RunWatch(run) as watch:
            screen = TopScreen(watch, run)
            async with screen.run_test(size=size) as pilot:
                await pilot.pause()
                await scenario(screen, pilot)

    asyncio.run(drive())


def text_of(screen: TopScreen, selector: str) -> str:
    console = Console(file=io.StringIO(), width=300, record=True)
    widget = screen.screen.query_one(selector, Static)
    console.print(widget.content if hasattr(Static, "content") else widget.renderable)  # of older versions
    return console.export_text()


def test_one_picture_has_all_answers(failed_run):
    printed = printed_picture(failed_run)
    assert "train.py: ended, after 2 s" in printed
    assert "900 of 1,000 tasks done, 100 failed (100%)" in printed
    assert "500 tasks/s on average" in printed
    rows = {line.split()[0]: line.split() for line in printed.splitlines() if line.startswith("app_")}
    assert rows["app_0"] == ["app_0", "-", "-", "-", "300", "34", "0.4", "s", "0.4", "s"]
    assert "ValueError: bad input #" in printed


def test_the_reason_why_nothing_runs_is_the_schedulers(live_run):
    printed = printed_picture(live_run[0])
    assert "running for" in printed
    assert "no estimate: nothing runs" in printed
    assert "htex: block 0 (job 4711) has been PENDING for" in printed
    assert "Not Running: no node is free" in printed


@pytest.mark.parametrize("width", [20, 40, 80])
def test_a_narrow_terminal_shows_whole_lines(failed_run, width):
    assert all(len(line) <= width for line in printed_picture(failed_run, width).splitlines())


def test_a_pipe_has_one_picture_without_colours(failed_run, capsys):
    assert main(["top", failed_run]) == 0
    printed = capsys.readouterr().out
    assert "900 of 1,000 tasks done" in printed
    assert "\x1b" not in printed


def test_the_answers_are_available_as_json(failed_run, capsys):
    assert main(["top", failed_run, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["standing"], data["tasks"]["done"], data["tasks"]["failed"]) == ("ended", 900, 100)
    assert data["apps"][0]["counts"]["done"] == 300
    [group] = data["failures"]
    assert (group["error"], group["apps"]) == ("builtins.ValueError", {"app_0": 34, "app_1": 33, "app_2": 33})
    assert data["nodes"][0]["host"] == "x0"


def test_an_unknown_run_or_one_without_log_is_an_error(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["top"]) == 2
    assert "is not a directory" in capsys.readouterr().err
    (tmp_path / "runinfo" / "000").mkdir(parents=True)
    assert main(["top", "0"]) == 2
    assert "There is no event log runinfo/000/events.parsl" in capsys.readouterr().err


def test_without_keys_the_picture_is_drawn_until_the_run_is_over(failed_run):
    console = Console(file=io.StringIO(), width=100, record=True)
    with RunWatch(failed_run) as watch:
        show_live(watch, failed_run, console)
    assert "900 of 1,000 tasks done" in console.export_text()


def test_a_long_log_has_its_totals_before_it_has_been_read(tmp_path):
    write_event_log(tmp_path / "000", 5000, fail_every=10)
    with RunWatch(tmp_path / "000") as watch:
        watch.advance(10_000)
        lines = header_lines(snapshot(watch, "000"))
        assert lines[0].startswith("train.py: ended")
        assert "4,500 of 5,000 tasks done, 500 failed" in lines[1]
        assert lines[-1].startswith("reading the event log: ")
        assert [app.counts.total for app in snapshot(watch, "000").apps] == [1667, 1667, 1666]


def test_tasks_that_the_end_of_the_run_cut_off_are_noted(tmp_path):
    file = EventFile(str(tmp_path / records.EVENT_LOG))
    rows = [ended_row(n, state=States.failed) for n in range(3)]
    ended = records.RunEnded(BEGAN_S + 1, 3, {"failed": 3})
    for record in (run_began(), records.Apps(["f"]), records.Tasks(rows), ended):
        file.write(record)
    file.close()
    with RunWatch(tmp_path) as watch:
        watch.read_to_end()
        note = header_lines(snapshot(watch, str(tmp_path)))[-1]
        assert note == "3 of the failed tasks had not ended when the run was over."


def test_damage_and_gaps_are_noted(live_run):
    run, file = live_run
    file.write(records.Gap(BEGAN_S, BEGAN_S + 1, 12, "No space left on device"))
    with RunWatch(run) as watch:
        watch.read_to_end()
        assert header_lines(snapshot(watch, run))[-1] == "12 records are missing: No space left on device."


@pytest.mark.parametrize(
    ("per_s", "text"),
    [
        (1234.5, "1,234 tasks/s"),
        (2.25, "2.2 tasks/s"),
        (0.5, "30 tasks/min"),
        (0.001, "3.6 tasks/h"),
        (0, "0 tasks/h"),
    ],
)
def test_rates_have_a_unit_that_suits_them(per_s, text):
    assert rate_text(per_s) == text


def test_the_screen_follows_the_run(live_run):
    run, file = live_run

    async def scenario(screen, pilot):
        table = screen.query_one("#table-a", DataTable)
        assert [cell.plain for cell in table.get_row_at(0)][:3] == ["analyse", "-", "3"]
        file.write(records.Tasks([ended_row(0)]))
        file.write(records.Apps(["join"]))
        for _ in range(100):
            await pilot.pause(0.1)
            if table.row_count == 2:
                break
        assert [cell.plain for cell in table.get_row_at(0)][:5] == ["analyse", "-", "2", "-", "1"]
        assert "1 of 3 tasks done" in text_of(screen, "#header")

    on_screen(run, scenario)


def test_keys_show_the_tables_and_look_into_their_rows(failed_run):
    async def scenario(screen, pilot):
        for key, expected in (
            ("a", "Ran the longest:"),
            ("b", "PENDING job 4711  Not Running: no node is free"),
            ("n", "Node x0, block 0 of htex"),
            ("f", "apps: app_0 34, app_1 33, app_2 33"),
        ):
            await pilot.press(key)
            await pilot.pause()
            await pilot.press("enter")
            await pilot.pause()
            assert isinstance(screen.screen, DetailScreen), key
            assert expected in text_of(screen, "#detail")
            await pilot.press("escape")
            await pilot.pause()
            assert not isinstance(screen.screen, DetailScreen)

    on_screen(failed_run, scenario)


def test_a_task_is_found_by_its_number(failed_run):
    async def scenario(screen, pilot):
        await pilot.press("t", "9", "enter")
        await pilot.pause()
        assert "Task 9 (app_0): failed, attempt 1 on executor htex" in text_of(screen, "#detail")
        await pilot.press("q")
        await pilot.pause()
        assert screen.is_running

    on_screen(failed_run, scenario)


def test_q_ends_the_screen(failed_run):
    async def scenario(screen, pilot):
        await pilot.press("q")
        await pilot.pause()
        assert not screen.is_running

    on_screen(failed_run, scenario)


def test_no_color_is_honoured(failed_run, wait_until):
    ours, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 110, 0, 0))
    os.set_blocking(ours, False)
    shown = bytearray()

    def has_all() -> bool:
        with suppress(BlockingIOError):
            shown.extend(os.read(ours, 65536))
        return b"app_2" in shown and b"Quit" in shown

    process = subprocess.Popen(
        [sys.executable, "-m", "parsl", "top", failed_run],
        stdin=terminal, stdout=terminal, stderr=terminal,
        env={**os.environ, "NO_COLOR": "1", "TERM": "xterm-256color", "COLORTERM": "truecolor"},
    )  # fmt: skip
    try:
        wait_until(has_all, what="the screen")
        os.write(ours, b"q")
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(terminal)
    styles = set(re.findall(rb"\x1b\[([0-9;:]*)m", shown))
    codes = {int(code) for style in styles for code in re.split(rb"[;:]", style) if code}
    assert 7 in codes, "the row of the cursor is visible"
    colours = {*range(30, 39), *range(40, 49), *range(90, 108)}
    assert not codes & colours


@pytest.mark.parametrize("size", [(40, 16), (104, 20), (200, 60)])
def test_the_answers_and_a_table_are_in_sight(failed_run, size):
    async def scenario(screen, pilot):
        header, table = screen.query_one("#header"), screen.query_one("#table-a", DataTable)
        assert header.region.y == 0
        assert header.size.height >= 4
        assert table.size.height >= 2
        assert table.region.bottom < size[1]

    on_screen(failed_run, scenario, size=size)


def test_details_of_running_tasks_name_their_place(live_run):
    run, file = live_run
    file.write(records.ManagerJoined(0, 0, BEGAN_S, "m", "0", "x7", 1, 4, 8, 2**30, "3.11", ["0"]))
    file.write(records.TasksStarted([records.TaskStarted(1, 0, BEGAN_S, 0, 3)]))
    with RunWatch(run) as watch:
        watch.read_to_end()
        assert "task 1 for 10 s on x7, worker 3" in details.app_text(watch, 0, BEGAN_S + 10)
        node = details.node_text(watch, "htex", "m", BEGAN_S + 10)
        assert "accelerators: 0" in node
        assert "analyse: task 1 for 10 s" in node
        assert "m on x7: 4 workers" in details.block_text(watch, "htex", "0")
        assert details.task_text(watch, 77, run) == "There is no task 77 (yet)."
