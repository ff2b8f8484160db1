"""Medians, percentiles and ratios."""

from __future__ import annotations

import pytest

from benchmarks.stats import Summary, median, paired_ratios, percentile, summarize


@pytest.mark.parametrize(
    ("samples", "expected"), [([3.0], 3.0), ([9.0, 1.0, 2.0], 2.0), ([4.0, 1.0, 2.0, 3.0], 2.5)]
)
def test_median(samples: list[float], expected: float) -> None:
    assert median(samples) == expected


def test_a_percentile_is_a_sample_that_enough_others_do_not_exceed() -> None:
    samples = [float(number) for number in range(1, 101)]
    assert percentile(samples, 99) == 99.0
    assert percentile(samples, 100) == 100.0
    assert percentile(samples, 0) == 1.0
    assert percentile([7.0], 99) == 7.0


def test_an_empty_sample_has_no_median_and_no_percentile() -> None:
    with pytest.raises(ValueError, match="no samples"):
        median([])
    with pytest.raises(ValueError, match="no samples"):
        percentile([], 50)


def test_a_percentile_beyond_100_is_refused() -> None:
    with pytest.raises(ValueError, match="percent is 101"):
        percentile([1.0], 101)


def test_a_summary_shows_the_range_of_the_samples() -> None:
    assert summarize([3.0, 1.0, 2.0]) == Summary(median=2.0, low=1.0, high=3.0)


def test_ratios_pair_the_samples_of_one_round() -> None:
    ours, others = {0: 10.0, 1: 20.0, 2: 30.0}, {0: 5.0, 2: 10.0}
    assert paired_ratios(ours, others) == [2.0, 3.0]
