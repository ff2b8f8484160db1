"""Who may see the pages."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from parsl.dashboard.runs import Runs
from parsl.dashboard.web import Dashboard
from tests.support.event_logs import write_event_log

BASE = "http://localhost:8000"


@pytest.fixture
def runs(tmp_path):
    write_event_log(tmp_path / "000", 5)
    runs = Runs(str(tmp_path))
    yield runs
    runs.close()


def test_without_the_token_there_is_an_explanation_and_nothing_else(runs):
    client = TestClient(Dashboard(runs, "secret").app, base_url=BASE)
    for path in ("/", "/run/000/", "/api/runs", "/api/runs/000/overview", "/?token=wrong"):
        answer = client.get(path)
        assert answer.status_code == 403
        assert "parsl dashboard" in answer.text
        assert "train.py" not in answer.text


def test_the_token_becomes_a_cookie_and_leaves_the_address(runs):
    client = TestClient(Dashboard(runs, "secret").app, base_url=BASE)
    first = client.get("/run/000/?token=secret", follow_redirects=False)
    assert (first.status_code, first.headers["location"]) == (303, "/run/000/")
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert client.get("/api/runs").json()["count"] == 1


def test_the_target_of_the_redirect_is_on_this_host(runs):
    client = TestClient(Dashboard(runs, "secret").app, base_url=BASE)
    answer = client.get("http://localhost:8000//other.example/?token=secret", follow_redirects=False)
    assert not answer.headers["location"].startswith("//")


def test_dashboards_of_one_host_have_different_cookies(runs):
    names = set()
    for token in ("one", "two"):
        client = TestClient(Dashboard(runs, token).app, base_url=BASE)
        client.get(f"/?token={token}")
        names |= set(client.cookies)
    assert len(names) == 2


def test_another_name_of_this_host_is_refused(runs):
    client = TestClient(Dashboard(runs).app, base_url="http://attacker.example:8000")
    assert client.get("/api/runs").status_code == 400


def test_browsers_are_allowed_to_load_nothing_from_elsewhere(runs):
    client = TestClient(Dashboard(runs).app, base_url=BASE)
    for path in ("/", "/run/000/", "/static/run.js", "/api/runs"):
        assert "default-src 'self'" in client.get(path).headers["content-security-policy"]
