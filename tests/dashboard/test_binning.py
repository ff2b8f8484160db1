"""Moments and intervals in bins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsl.dashboard.binning import counted, mean_number, window_of

_ROW_0 = np.zeros(1, np.int64)


def test_moments_outside_the_window_or_unknown_do_not_count():
    window = window_of(10.0, 20.0, 5)
    moments = np.array([9.0, 10.0, 11.9, 12.0, 20.0, 21.0, np.nan])
    assert counted(moments, window).tolist() == [2, 1, 0, 0, 1]


def test_an_interval_counts_in_each_bin_for_its_share():
    found = mean_number(np.array([11.0]), np.array([15.0]), _ROW_0, 1, window_of(10.0, 20.0, 5))
    assert found[0].tolist() == [0.5, 1.0, 0.5, 0.0, 0.0]


def test_an_interval_that_exceeds_the_window_fills_it():
    found = mean_number(np.array([0.0]), np.array([99.0]), _ROW_0, 1, window_of(10.0, 20.0, 4))
    assert found[0].tolist() == [1.0] * 4


def test_each_row_has_its_own_intervals():
    begins, ends, rows = np.array([0.0, 0.0, 1.0]), np.array([1.0, 2.0, 2.0]), np.array([0, 1, 1])
    found = mean_number(begins, ends, rows, 3, window_of(0.0, 2.0, 2))
    assert found.tolist() == [[1.0, 0.0], [1.0, 2.0], [0.0, 0.0]]


@given(st.lists(st.tuples(st.floats(-5, 15), st.floats(0, 10)), max_size=20), st.integers(1, 12))
def test_the_time_in_all_bins_is_that_of_the_intervals_within_the_window(intervals, bins):
    begins = np.array([begin for begin, _ in intervals], dtype=float)
    ends = begins + np.array([length for _, length in intervals], dtype=float)
    window = window_of(0.0, 10.0, bins)
    found = mean_number(begins, ends, np.zeros(len(begins), np.int64), 1, window)
    inside = sum(max(0.0, min(end, 10.0) - max(begin, 0.0)) for begin, end in zip(begins, ends, strict=True))
    assert found.sum() * window.bin_s == pytest.approx(inside, abs=1e-6)


def test_a_window_is_never_empty():
    assert window_of(5.0, 5.0, 10).bin_s > 0
