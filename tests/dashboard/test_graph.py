"""The graph of tasks, grouped."""

from __future__ import annotations

from parsl.dashboard.graph import graph
from parsl.eventlog import records
from parsl.vocabulary.task_states import States
from tests.dashboard.known import known_of, ran


def test_tasks_are_grouped_by_app_and_level(tmp_path):
    rows = [ran(n, 2.0, 4.0) for n in range(3)]
    rows += [ran(3 + n, 5.0, 6.0, app=1, depends=(n,)) for n in range(3)]
    rows.append(ran(6, 5.0, 6.0, app=1, state=int(States.failed), depends=(0,)))
    answer = graph(known_of(tmp_path, records.Tasks(rows)))
    first, second = answer["groups"]
    assert (first["name"], first["column"], first["count"], first["done"]) == ("work", 0, 3, 3)
    assert (second["name"], second["column"], second["count"], second["failed"]) == ("other", 1, 4, 1)
    assert answer["edges"] == [[first["id"], second["id"], 4]]
    assert answer["columns"] == [[0, 0], [1, 1]]


def test_a_long_chain_has_few_columns(tmp_path):
    rows = [ran(n, 2.0, 4.0, depends=(n - 1,) if n else ()) for n in range(500)]
    answer = graph(known_of(tmp_path, records.Tasks(rows)))
    assert answer["level_count"] == 500
    assert len(answer["columns"]) == 24
    assert sum(group["count"] for group in answer["groups"]) == 500
    assert answer["columns"][0][0] == 0
    assert answer["columns"][-1][1] == 499
    assert [
        after[0] - before[1] for before, after in zip(answer["columns"], answer["columns"][1:], strict=False)
    ] == [1] * 23


def test_apps_with_few_tasks_share_a_row(tmp_path):
    names = tuple(f"app_{n}" for n in range(30))
    rows = [ran(n, 2.0, 4.0, app=n % 30) for n in range(45)]
    answer = graph(known_of(tmp_path, records.Tasks(rows), apps=names))
    assert len(answer["groups"]) == 17
    assert answer["groups"][-1]["name"] == "14 other apps"


def test_a_run_without_tasks_has_no_groups(tmp_path):
    assert graph(known_of(tmp_path))["groups"] == []
