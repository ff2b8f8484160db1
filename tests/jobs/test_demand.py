from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parsl.jobs.demand import Demand


def test_nothing_is_known_before_the_first_look() -> None:
    assert Demand().highest == 0
    assert not Demand().is_known_for(0, 100)


def test_it_is_known_for_as_long_as_it_is_observed() -> None:
    demand = Demand().observe(1, 100, 60).observe(1, 150, 60)
    assert demand.is_known_for(50, 150)
    assert not demand.is_known_for(60, 150)


def test_a_peak_is_forgotten_when_it_is_older_than_the_window() -> None:
    demand = Demand().observe(5, 100, 60).observe(1, 159, 60)
    assert demand.highest == 5
    assert demand.observe(1, 161, 60).highest == 1


def test_without_a_window_only_now_counts() -> None:
    assert Demand().observe(5, 100, 0).observe(2, 100, 0).highest == 2


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), min_size=1), st.integers(0, 100))
def test_the_highest_is_the_maximum_within_the_window(steps: list[tuple[int, int]], window_s: int) -> None:
    demand, now_s, seen = Demand(), 0.0, []
    for pause_s, needed in steps:
        now_s += pause_s
        seen.append((now_s, needed))
        demand = demand.observe(needed, now_s, window_s)
        within = [level for at_s, level in seen[:-1] if at_s > now_s - window_s]
        assert demand.highest == max([*within, needed])
        assert len(demand.peaks) <= 10
