"""The answers about runs, as pages request them."""

from __future__ import annotations

import json

import pytest
from starlette.testclient import TestClient

from parsl.dashboard.runs import Runs
from parsl.dashboard.web import Dashboard
from tests.support.event_logs import write_event_log
from tests.support.run_stories import Ensemble, write_story
from tests.support.waiting import wait_until


@pytest.fixture
def client(tmp_path):
    ensemble = Ensemble(60, 1_700_000_000.0)
    write_story(tmp_path / "000", ensemble, ensemble.last_s + 2, is_live=False, has_ended=True).close()
    write_event_log(tmp_path / "001", 30, waiting=4, is_over=False)
    (tmp_path / "002").mkdir()
    runs = Runs(str(tmp_path))
    yield TestClient(Dashboard(runs).app, base_url="http://localhost")
    runs.close()


def read(client, run, view="overview"):
    """Return a view of a run whose log has been read."""
    wait_until(lambda: client.get(f"/api/runs/{run}/overview").json()["is_read"], what="the log to be read")
    return client.get(f"/api/runs/{run}/{view}").json()


def test_runs_are_listed_with_what_became_of_them(client):
    answer = client.get("/api/runs").json()
    by_name = {run["name"]: run for run in answer["runs"]}
    assert [run["name"] for run in answer["runs"]] == ["002", "001", "000"]
    assert (by_name["000"]["standing"], by_name["001"]["standing"]) == ("ended", "driver lost")
    assert (by_name["001"]["done"], by_name["001"]["unfinished"]) == (30, 4)
    assert by_name["002"]["standing"] == "no event log"


def test_an_overview_counts_tasks_by_app(client):
    answer = read(client, "000")
    assert answer["standing"] == "ended"
    assert sum(answer["counts"].values()) == 185
    assert {app["name"]: app["total"] for app in answer["apps"]} == {
        "prepare": 60, "simulate": 60, "analyze": 60, "summarize": 5,
    }  # fmt: skip


def test_rates_add_up_to_the_tasks_that_ended(client):
    answer = read(client, "000", "rates")
    ended = sum(answer["done"] + answer["failed"]) * answer["bin_s"]
    assert ended == pytest.approx(185, rel=0.01)
    assert max(answer["running"]) <= 48


def test_failures_are_grouped_and_have_an_example_with_its_traceback(client):
    (group,) = read(client, "000", "failures")["groups"]
    assert group["error"] == "MemoryError"
    assert "#" in group["pattern"]
    assert (group["failed"], group["tried_again"]) == (7, 7)
    attempts = client.get(f"/api/runs/000/failures/{group['example']}").json()["attempts"]
    assert [attempt["outcome"] for attempt in attempts] == ["tried again", "failed"]
    assert "model.py" in attempts[-1]["traceback"]
    assert "field energy" in attempts[-1]["stderr_tail"]


def test_blocks_and_nodes_have_their_last_state(client):
    answer = read(client, "000", "waiting")
    assert {block["state"] for block in answer["blocks"]} == {"SCALED_IN"}
    assert "set aside" in answer["changes"][0]["text"]


def test_a_task_is_found_by_its_number(client):
    assert read(client, "000", "task/1")["app"] == "simulate"
    answer = client.get("/api/runs/000/task/9999")
    assert answer.status_code == 404
    assert "no task 9999" in answer.json()["error"]


@pytest.mark.parametrize("query", ["from=x", "to=nan", "row=1.5", "from=-1", "to=1e300"])
def test_a_wrong_window_is_refused(client, query):
    assert client.get(f"/api/runs/000/timeline?{query}").status_code == 400


@pytest.mark.parametrize("path", ["/api/runs/999/overview", "/api/runs/../overview", "/api/runs/000/nothing"])
def test_what_does_not_exist_is_not_found(client, path):
    assert client.get(path).status_code == 404


def test_a_run_without_a_log_has_an_explanation(client):
    answer = client.get("/api/runs/002/overview")
    assert answer.status_code == 409
    assert "event_log=False" in answer.json()["error"]


def test_answers_are_json_that_browsers_read(client):
    for view in ("overview", "rates", "waiting", "failures", "slow", "nodes", "graph", "timeline", "task/3"):
        text = json.dumps(read(client, "001", view))
        assert "NaN" not in text
        assert "Infinity" not in text
