"""The table, the comparison and the picture, from reports made by hand."""

from __future__ import annotations

import xml.etree.ElementTree
from typing import Any

import pytest

from benchmarks.chart import bar_lengths, render_chart
from benchmarks.compare import render_comparison, verdict_of
from benchmarks.table import align, format_ratio, format_value, render_table


def entry(value: float, **more: object) -> dict[str, Any]:
    return {"median": value, "low": value, "high": value, "samples": [value], **more}


def report(ours: float, stdlib: float, ratio: float) -> dict[str, Any]:
    row = {
        "name": "rate",
        "title": "a <rate>",
        "unit": "tasks/s",
        "more_is_better": True,
        "target": {"bound": 2.5, "peer": "stdlib"},
        "systems": {"ours": entry(ours, tasks=500), "stdlib": entry(stdlib, tasks=50)},
        "ratios": {"stdlib": {"median": ratio, "low": ratio - 0.5, "high": ratio + 0.5}},
        "reached": ratio >= 2.5,
    }
    machine = {"cpu": "a CPU", "cores": 2, "python": "CPython 3"}
    return {
        "machine": machine,
        "measures": [row],
        "unavailable": {"ray": "no wheel"},
        "failures": [{"workload": "chain", "system": "dask", "reason": "not done"}],
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [(12345.6, "12,346"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23"), (0.1234, "0.123")],
)
def test_values_have_three_digits_or_are_whole(value: float, text: str) -> None:
    assert format_value(value) == text


def test_a_ratio_shows_its_spread_when_it_has_one() -> None:
    assert format_ratio({"median": 2.0, "low": 1.5, "high": 2.5}) == "2.00 (1.50-2.50)"
    assert format_ratio({"median": 2.0, "low": 2.0, "high": 2.0}) == "2.00"


def test_columns_are_aligned() -> None:
    assert align([["a", "b", "c"], ["longer", "x", "1,000"]]) == [
        "a       b      c",
        "------  -  -----",
        "longer  x  1,000",
    ]


def test_the_table_shows_values_verdict_and_footnotes() -> None:
    text = render_table(report(30_000.0, 10_000.0, 3.0))
    assert "30,000" in text
    assert "10,000*" in text
    assert "3.00 (2.50-3.50)" in text
    assert ">= 2.5 x stdlib pool" in text
    assert "reached" in text
    assert "* measured with fewer tasks: stdlib pool 50 (a <rate>)" in text
    assert "Ray left out: no wheel" in text
    assert "chain failed for Dask: not done" in text


def test_a_comparison_judges_the_ratio_to_the_peer() -> None:
    text = render_comparison(report(100.0, 50.0, 2.0), report(90.0, 30.0, 3.0))
    assert "x 0.90" in text
    assert "x 1.50" in text
    assert "better" in text


def test_verdicts_follow_the_direction_and_ignore_noise() -> None:
    assert verdict_of(1.5, more_is_better=True) == "better"
    assert verdict_of(1.5, more_is_better=False) == "WORSE"
    assert verdict_of(1.05, more_is_better=True) == ""


def test_the_picture_is_well_formed_and_names_the_rows() -> None:
    text = render_chart(report(30_000.0, 10_000.0, 3.0))
    root = xml.etree.ElementTree.fromstring(text)
    assert "a <rate>" in [element.text for element in root.iter()]


def test_bars_are_in_proportion() -> None:
    assert bar_lengths([1.0, 2.0, -1.0], 100.0) == [50.0, 100.0, 0.0]
    assert bar_lengths([0.0], 100.0) == [0.0]
