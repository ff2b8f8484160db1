"""How nodes are used."""

from __future__ import annotations

import pytest

from parsl.dashboard.nodes import nodes
from parsl.eventlog import records
from tests.dashboard.known import known_of, ran
from tests.support.event_logs import BEGAN_S


def test_the_use_of_a_node_is_the_time_of_its_tasks(tmp_path):
    rows = [ran(0, 0.0, 10.0, launched_s=BEGAN_S), ran(1, 5.0, 10.0, worker=1)]
    answer = nodes(known_of(tmp_path, records.Tasks(rows)))
    first, second = answer["nodes"]
    assert (first["host"], first["tasks"], second["tasks"]) == ("n0", 2, 0)
    assert first["used"] == pytest.approx(0.75)
    assert first["cpu"] == pytest.approx(0.5)
    assert (first["peak_memory"], second["cpu"]) == (10**9, None)
    assert first["busy"][10] == pytest.approx(0.5)
    assert first["busy"][-10] == pytest.approx(1.0)
    assert set(second["busy"]) == {0.0}


def test_nodes_that_are_gone_come_last(tmp_path):
    gone = records.ManagerGone(0, 0, BEGAN_S + 5, "its block has ended")
    answer = nodes(known_of(tmp_path, records.Tasks([ran(0, 1.0, 4.0)]), gone, is_alive=True))
    assert [(node["host"], node["is_connected"]) for node in answer["nodes"]] == [("n1", True), ("n0", False)]


def test_a_run_without_managers_has_no_nodes(tmp_path):
    known = known_of(tmp_path, records.Tasks([ran(0, 1.0, 4.0, manager=-1)]))
    known.history.managers.clear()
    assert nodes(known)["nodes"] == []


def test_tasks_outside_the_nodes_are_counted(tmp_path):
    answer = nodes(known_of(tmp_path, records.Tasks([ran(0, 1.0, 4.0, manager=-1, worker=-1)])))
    assert answer["elsewhere"] == 1
