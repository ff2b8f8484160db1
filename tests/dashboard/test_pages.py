"""The pages in a real browser: a person with a question finds the answer."""

from __future__ import annotations

import os
from time import time

import pytest

from parsl.common.processes import started_at
from parsl.eventlog import records
from parsl.eventlog.file import EventFile
from parsl.vocabulary.task_states import States
from tests.support.event_logs import run_began, write_event_log
from tests.support.run_stories import Ensemble, write_story

expect = pytest.importorskip("playwright.sync_api", reason="Playwright comes with the extra 'test'").expect
expect.set_options(timeout=60_000)


@pytest.fixture
def failed_run(tmp_path):
    ensemble = Ensemble(60, 1_700_000_000.0)
    write_story(tmp_path / "000", ensemble, ensemble.last_s + 2, is_live=False, has_ended=True).close()
    return tmp_path / "000"


@pytest.fixture
def live_run(tmp_path):
    """The log of an ensemble that has been running for five minutes, with this process as the driver."""
    now_s = time()
    ensemble = Ensemble(120, now_s - 300)
    file = write_story(tmp_path / "000", ensemble, now_s, is_live=True, has_ended=False)
    yield tmp_path, file, ensemble
    file.close()


def section(page, name):
    return page.locator(f"section#{name}")


def test_a_live_run_shows_that_it_moves_and_why_tasks_wait(serve, page, live_run):
    directory, _, _ = live_run
    page.goto(serve(directory).address)
    page.get_by_role("link", name="000").click()
    expect(page.get_by_role("status")).to_have_text("running")
    moving = section(page, "moving")
    expect(moving).to_contain_text("tasks have ended")
    expect(moving).to_contain_text("tasks end, lately")
    expect(moving).to_contain_text("of 48")
    expect(moving.get_by_role("row", name="simulate")).to_be_visible()
    waiting = section(page, "waiting")
    expect(waiting).to_contain_text("would exceed the limit of the queue on nodes in use by ada")
    expect(waiting).to_contain_text("812444.aurora-pbs")
    expect(waiting).to_contain_text("set aside for 60 s")


def test_a_live_run_is_followed_to_its_end(serve, page, tmp_path):
    directory = tmp_path / "000"
    directory.mkdir()
    file = EventFile(str(directory / records.EVENT_LOG))
    began_s = time() - 10
    file.write(
        run_began(str(directory), began_s=began_s, pid=os.getpid(), process_started=started_at(os.getpid()))
    )
    file.write(records.Executors([records.ExecutorFacts("threads", "ThreadPoolExecutor")]))
    file.write(records.Apps(["work"]))
    launched = [records.TaskRow(n, 0, 0, int(States.launched), 0, began_s, began_s) for n in range(4)]
    file.write(records.Tasks(launched))
    page.goto(serve(directory).address)
    moving = section(page, "moving")
    expect(moving).to_contain_text("0 of 4")
    done = [
        records.TaskRow(n, 0, 0, int(States.exec_done), 0, began_s, began_s, (), began_s + 5, 4.0)
        for n in range(3)
    ]
    file.write(records.Tasks(done))
    expect(moving).to_contain_text("3 of 4")
    file.write(records.RunEnded(time(), 4, {"exec_done": 3, "launched": 1}))
    expect(page.get_by_role("status")).to_have_text("ended")
    file.close()


def test_a_failed_run_shows_what_failed_with_its_traceback(serve, page, failed_run):
    page.goto(serve(failed_run).address)
    expect(page.get_by_role("status")).to_have_text("ended")
    failed = section(page, "failed")
    expect(failed).to_contain_text("7 tasks")
    expect(failed).to_contain_text("dependent tasks never ran")
    expect(failed).to_contain_text("MemoryError: Unable to allocate # GiB")
    failed.locator("summary").first.click()
    expect(failed).to_contain_text("state = step(state, dt)")
    expect(failed).to_contain_text("field energy is growing quickly")
    expect(failed).to_contain_text("x410")


def test_a_killed_run_ends_without_a_goodbye(serve, page, tmp_path):
    write_event_log(tmp_path / "000", 300, waiting=40, is_over=False)
    page.goto(serve(tmp_path / "000").address)
    expect(page.get_by_role("status")).to_have_text("driver lost")
    expect(section(page, "moving")).to_contain_text("The driver has ended without a goodbye")
    expect(section(page, "moving")).to_contain_text("300 of 340")


def test_an_empty_directory_shows_what_to_do(serve, page, tmp_path):
    page.goto(serve(tmp_path).address)
    expect(page.locator("main")).to_contain_text("There are no runs here yet")
    expect(page.locator("main")).to_contain_text("parsl dashboard DIRECTORY")
    write_event_log(tmp_path / "000", 3)
    expect(page.get_by_role("link", name="000")).to_be_visible()


def test_sections_and_tasks_are_reached_with_the_keyboard(serve, page, failed_run):
    page.goto(serve(failed_run).address)
    expect(section(page, "moving")).to_contain_text("tasks have ended")
    page.keyboard.press("3")
    expect(section(page, "failed")).to_be_focused()
    assert page.url.endswith("#failed")
    page.keyboard.press("/")
    page.keyboard.type("13")
    page.keyboard.press("Enter")
    expect(page.locator("#task")).to_contain_text("Task 13")
    expect(page.locator("#task")).to_contain_text("MemoryError")
    page.keyboard.press("Escape")
    expect(section(page, "moving")).to_be_visible()


@pytest.mark.slow
def test_a_million_tasks_are_summed_up_at_once_and_read_meanwhile(serve, page, tmp_path):
    write_event_log(tmp_path / "000", 1_000_000, fail_every=1000)
    page.goto(serve(tmp_path).address)
    expect(page.get_by_role("row", name="000")).to_contain_text("1,000,000")
    page.get_by_role("link", name="000").click()
    moving = section(page, "moving")
    expect(moving).to_contain_text("1,000,000 of 1,000,000")
    expect(moving).to_contain_text("The log is being read")
    expect(moving).not_to_contain_text("The log is being read", timeout=200_000)
    expect(moving).to_contain_text("999,000 done")
    expect(section(page, "failed")).to_contain_text("1,000 tasks")
    assert page.evaluate("performance.memory.usedJSHeapSize") < 60_000_000
