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

#: What a browser shows does not depend on Python: .ci/run tests it under one version only.
pytestmark = pytest.mark.slow

expect = pytest.importorskip("playwright.sync_api", reason="Playwright comes with the extra 'test'").expect


@pytest.fixture
def failed_run(tmp_path):
    ensemble = Ensemble(60, 1_700_000_000.0)
    write_story(tmp_path / "000", ensemble, ensemble.last_s + 2, is_live=False, has_ended=True).close()
    return tmp_path / "000"


@pytest.fixture
def live_run(tmp_path):
    """A directory with the log of an ensemble that has run for five minutes; this process is its driver."""
    now_s = time()
    ensemble = Ensemble(120, now_s - 300)
    file = write_story(tmp_path / "000", ensemble, now_s, is_live=True, has_ended=False)
    yield tmp_path
    file.close()


def section(page, name):
    return page.locator(f"section#{name}")


def test_a_live_run_shows_that_it_moves_and_why_tasks_wait(serve, page, live_run, take_picture):
    page.goto(serve(live_run).address)
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
    expect(moving.locator(".u-legend")).to_have_count(2)
    take_picture(page, "moving")


def test_a_live_run_shows_how_nodes_are_used_and_what_is_slow(serve, page, live_run, take_picture):
    page.goto(serve(live_run / "000").address)
    slow = section(page, "slow")
    expect(slow.get_by_role("row", name="simulate")).to_contain_text("min")
    expect(slow).to_contain_text("Stragglers that are running")
    nodes = section(page, "nodes")
    expect(nodes.get_by_role("row", name="x4102c3s1b0n0")).to_contain_text("GB")
    expect(nodes).to_contain_text("of the workers' time used")
    page.keyboard.press("5")
    take_picture(page, "nodes")
    graph = section(page, "graph")
    expect(graph).to_contain_text("4 levels")
    expect(graph.get_by_role("link", name="summarize: 10 tasks")).to_be_visible()


def test_the_timeline_is_zoomed_with_keys_and_by_dragging(serve, page, live_run, take_picture):
    page.goto(serve(live_run / "000").address + "#timeline")
    timeline = section(page, "timeline")
    expect(timeline).to_contain_text("tasks on the workers shown")
    picture = timeline.locator("canvas")
    whole = picture.get_attribute("aria-label")
    page.keyboard.press("7")
    take_picture(page, "timeline")
    picture.focus()
    page.keyboard.press("+")
    expect(picture).not_to_have_attribute("aria-label", whole)
    zoomed = picture.get_attribute("aria-label")
    box = picture.bounding_box()
    page.mouse.move(box["x"] + 400, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 500, box["y"] + 60, steps=4)
    page.mouse.up()
    expect(picture).not_to_have_attribute("aria-label", zoomed)


def test_pages_follow_the_dark_mode_and_can_be_printed(serve, page, live_run):
    page.emulate_media(color_scheme="dark")
    page.goto(serve(live_run / "000").address)
    expect(section(page, "moving").locator(".u-legend")).to_have_count(2)
    red, green, blue = page.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    )
    assert red + green + blue < 150
    page.emulate_media(media="print", color_scheme="light")
    expect(page.locator("#nav")).to_be_hidden()
    expect(section(page, "moving")).to_be_visible()


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


def test_a_failed_run_shows_what_failed_with_its_traceback(serve, page, failed_run, take_picture):
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
    page.keyboard.press("4")
    take_picture(page, "failed")


def test_the_page_of_a_task_shows_its_life_and_its_neighbours(serve, page, failed_run):
    page.goto(serve(failed_run).address)
    expect(page.get_by_role("status")).to_have_text("ended")
    page.goto(page.url + "#task/13")
    task = page.locator("#task")
    expect(task).to_contain_text("Task 13: simulate")
    expect(task).to_contain_text("waited for a worker")
    expect(task).to_contain_text("MemoryError")
    task.get_by_role("link", name="task 14").click()
    expect(task).to_contain_text("never ran, because a dependency failed")
    expect(task).to_contain_text("The task that failed first: task 13")


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
    page.keyboard.press("4")
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
@pytest.mark.timeout(900)
def test_a_million_tasks_are_summed_up_at_once_and_read_meanwhile(serve, page, tmp_path):
    write_event_log(tmp_path / "000", 1_000_000, fail_every=1000)
    page.goto(serve(tmp_path).address)
    expect(page.get_by_role("row", name="000")).to_contain_text("1,000,000")
    page.get_by_role("link", name="000").click()
    moving, timeline = section(page, "moving"), section(page, "timeline")
    expect(moving).to_contain_text("1,000,000 of 1,000,000")
    expect(moving).to_contain_text("The log is being read")
    expect(moving).not_to_contain_text("The log is being read", timeout=600_000)
    expect(moving).to_contain_text("999,000 done")
    expect(section(page, "failed")).to_contain_text("1,000 tasks")
    expect(section(page, "graph")).to_contain_text("333,334 tasks")
    page.keyboard.press("7")
    expect(timeline).to_contain_text("zoom in to see the tasks")
    expect(timeline).to_contain_text("1,000,000 tasks on the workers shown")
    assert page.evaluate("performance.memory.usedJSHeapSize") < 60_000_000
