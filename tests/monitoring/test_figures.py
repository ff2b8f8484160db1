"""The picture of a run."""

from __future__ import annotations

import pytest

from parsl.eventlog.file import EventLogError
from parsl.monitoring.figures import figure_of_run
from tests.support.event_logs import write_event_log


def test_a_run_is_drawn(tmp_path):
    write_event_log(tmp_path, 1000, fail_every=10, waiting=5)
    figure = figure_of_run(tmp_path)
    ended, running, times = figure.axes
    assert {line.get_label(): max(line.get_ydata()) for line in ended.get_lines()} == {
        "done": 900,
        "failed": 100,
    }
    assert max(running.dataLim.get_points()[:, 1]) == 401  # a start each millisecond, and 0.4 s of run time
    assert [label.get_text() for label in times.get_yticklabels()] == [
        "app_0 (334)", "app_1 (333)", "app_2 (333)",
    ]  # fmt: skip
    assert figure.get_suptitle() == "train.py, 000: 900 tasks done, 100 failed"


def test_notebooks_show_the_figure(tmp_path):
    write_event_log(tmp_path, 10)
    assert figure_of_run(tmp_path)._repr_png_().startswith(b"\x89PNG")


def test_a_run_without_ended_tasks_is_drawn(tmp_path):
    write_event_log(tmp_path, 0, waiting=3, is_over=False)
    figure = figure_of_run(tmp_path)
    assert figure.axes[0].get_lines() == []
    assert figure._repr_png_()


def test_a_missing_log_is_explained(tmp_path):
    with pytest.raises(EventLogError, match="There is no event log"):
        figure_of_run(tmp_path)
