"""Which measurements run, how often and in which order."""

from __future__ import annotations

import pytest

from benchmarks.measures import ENDURANCE, MEASURES, MILLION, Measure, Run, select_measures
from benchmarks.schedule import plan
from benchmarks.systems import DASK, OURS, STDLIB, SYSTEMS, parse_systems

FIRST = Run("first", ("ours", "stdlib", "dask"))
SECOND = Run("second", ("ours",), max_rounds=1)
ROWS = [Measure(name, name, "s", run, name) for name, run in (("a", FIRST), ("b", SECOND))]


def test_rounds_alternate_between_the_systems() -> None:
    steps = plan(ROWS, [OURS, STDLIB, DASK], rounds=2, slow_rounds=1)
    assert [(step.round, step.run.workload, step.system.name) for step in steps] == [
        (0, "first", "ours"),
        (0, "first", "stdlib"),
        (0, "first", "dask"),
        (0, "second", "ours"),
        (1, "first", "ours"),
        (1, "first", "stdlib"),
    ]


def test_rows_of_one_run_share_it() -> None:
    rows = [*ROWS, Measure("c", "c", "s", FIRST, "c")]
    assert len(plan(rows, [OURS], rounds=1, slow_rounds=1)) == 2


def test_every_row_has_a_unique_name_and_known_systems() -> None:
    names = [measure.name for measure in MEASURES]
    assert len(set(names)) == len(names)
    for measure in MEASURES:
        assert set(measure.run.systems) <= set(SYSTEMS)
        assert measure.target is None or measure.target.peer in (None, *measure.run.systems)


def test_the_million_replaces_the_two_hundred_thousand() -> None:
    assert MILLION not in {measure.run for measure in select_measures(None)}
    assert ENDURANCE not in {measure.run for measure in select_measures(None, with_million=True)}


def test_measures_are_chosen_by_the_beginning_of_their_names() -> None:
    names = [measure.name for measure in select_measures("payload, chain")]
    assert names == ["chain", "payload-1KB", "payload-100KB", "payload-1MB", "payload-10MB"]


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown measure 'nope'; known are throughput-5k"):
        select_measures("chain,nope")
    with pytest.raises(ValueError, match=r"unknown system 'nope'; known are ours"):
        parse_systems("ours,nope")
    assert parse_systems("stdlib, ours") == [OURS, STDLIB]
