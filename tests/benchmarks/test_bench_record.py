"""From values to rows: medians, ratios and whether a target is reached."""

from __future__ import annotations

from benchmarks.measures import Measure, Run, Target
from benchmarks.record import Record, build_report, is_reached, report_measure
from benchmarks.schedule import Step
from benchmarks.stats import Summary
from benchmarks.systems import OURS, STDLIB, System

RUN = Run("throughput", ("ours", "stdlib"))
MEASURE = Measure("rate", "a rate", "tasks/s", RUN, "rate", target=Target(2.0, "stdlib"))


def recorded(values: dict[System, list[float]]) -> Record:
    record = Record()
    for system, samples in values.items():
        for number, sample in enumerate(samples):
            record.add(Step(number, RUN, system), {"rate": sample, "tasks": 100})
    return record


def test_a_row_has_medians_ratios_and_a_verdict() -> None:
    record = recorded({OURS: [200.0, 300.0, 330.0], STDLIB: [100.0, 100.0, 110.0]})
    row = report_measure(record, MEASURE, ["ours", "stdlib"])
    assert row["systems"]["ours"]["median"] == 300.0
    assert row["systems"]["stdlib"]["tasks"] == 100
    assert row["ratios"]["stdlib"] == {"median": 3.0, "low": 2.0, "high": 3.0}
    assert row["reached"] is True


def test_without_the_peer_there_is_no_verdict() -> None:
    row = report_measure(recorded({OURS: [200.0]}), MEASURE, ["ours", "stdlib"])
    assert row["reached"] is None
    assert row["ratios"] == {}


def test_a_bound_is_a_floor_or_a_ceiling() -> None:
    assert is_reached(Target(0.6), False, [0.5, 0.7, 0.6], {}) is True
    assert is_reached(Target(0.6), True, [0.5], {}) is False
    assert is_reached(Target(1.2, "stdlib"), False, [9.0], {"stdlib": Summary(1.3, 1, 2)}) is False
    assert is_reached(None, True, [1.0], {}) is None


def test_a_failure_is_remembered_and_reported() -> None:
    record, step = Record(), Step(0, RUN, STDLIB)
    record.add_failure(step, "not done within 5 s")
    assert record.has_failed(Step(1, RUN, STDLIB))
    assert not record.has_failed(Step(1, RUN, OURS))
    assert repr(record) == "<Record: 0 steps done, 1 failed>"
    report = build_report(record, [MEASURE], ["ours", "stdlib"], {"machine": {}})
    assert report["measures"] == []
    assert report["failures"][0]["reason"] == "not done within 5 s"
