"""The names of upstream's pages: they show runs with the dashboard, or name what to use instead."""

from __future__ import annotations

import sys
from datetime import datetime
from importlib import import_module

import pytest

from parsl.monitoring.visualization import app, utils

ROOM = "parsl.monitoring.visualization"


def test_the_command_is_that_of_the_dashboard(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["parsl-visualize", "sqlite:////nowhere/monitoring.db"])
    assert app.cli_run() == 2
    assert "/nowhere" in capsys.readouterr().err


def test_moments_are_converted_in_the_local_time_zone() -> None:
    text = "2026-11-29 10:00:00"
    moment = datetime(2026, 11, 29, 10)
    assert utils.timestamp_to_float(text) == utils.timestamp_to_int(text) == moment.timestamp()
    assert utils.num_to_timestamp(moment.timestamp()) == moment


def test_tables_are_those_of_the_database() -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    models = import_module(f"{ROOM}.models")
    assert "FROM task" in str(sqlalchemy.select(models.Task.task_id))
    with pytest.raises(ImportError, match=r"db_manager\.Database\(url\)\.eng"):
        from parsl.monitoring.visualization.models import db  # noqa: F401


@pytest.mark.parametrize(
    ("module", "advice"),
    [("views", "parsl dashboard"), ("plots.default.workflow_plots", r"parsl\.monitoring\.figures")],
)
def test_what_is_drawn_otherwise_names_what_to_use(module: str, advice: str) -> None:
    with pytest.raises(ImportError, match=advice):
        import_module(f"{ROOM}.{module}")
