from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsl.providers.batch.parameters import format_minutes, format_walltime, parse_walltime
from parsl.validate import ParameterError


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("00:20:00", 1200),
        ("0:30:00", 1800),
        ("100:00:00", 360_000),
        ("1:00:00:00", 86_400),
        ("1-0", 86_400),
        ("1-12:30", 131_400),
        ("1-00:00:01", 86_401),
        ("00:90:00", 5400),
        (" 0:05:00 ", 300),
        ("00:00:00.5", 1),
    ],
)
@pytest.mark.parametrize(("bare", "pair"), [("second", "minute"), ("minute", "minute"), ("minute", "hour")])
def test_formats_with_one_meaning_everywhere(value, seconds, bare, pair):
    assert parse_walltime("owner", value, bare=bare, pair=pair) == seconds


@pytest.mark.parametrize(
    ("value", "bare", "pair", "seconds"),
    [
        ("90", "second", "minute", 90),
        (90, "second", "minute", 90),
        ("1:30", "second", "minute", 90),
        ("90", "minute", "minute", 5400),
        ("1:30", "minute", "minute", 90),
        ("1:30", "minute", "hour", 5400),
        ("1.5", "minute", "minute", 90),
    ],
)
def test_formats_with_a_different_meaning_per_scheduler(value, bare, pair, seconds):
    assert parse_walltime("owner", value, bare=bare, pair=pair) == seconds


@pytest.mark.parametrize(
    "value",
    ["", " ", "abc", "1h",
     "10 min", "-1:00:00", "0", "00:00:00", "1:2:3:4:5", "1-2-3", "1:", ":1", "1-1:1:1:1",
     "١٢:00:00", "0:30:00; rm", "1:00:00\n#PBS", "9" * 5000, True, None, 1.5, 0, -5],
)  # fmt: skip
def test_invalid_walltimes_are_refused(value):
    with pytest.raises(ParameterError, match=r"walltime is .*expected a time above zero, as HH:MM:SS"):
        parse_walltime("owner", value)


@settings(deadline=None)
@given(st.text(alphabet="0123456789:-. x"))
def test_any_text_is_a_time_or_a_parameter_error(text):
    try:
        seconds = parse_walltime("owner", text)
    except ParameterError:
        return
    assert parse_walltime("owner", format_walltime(seconds)) == seconds


def test_formats():
    assert format_walltime(131_401) == "36:30:01"
    assert (format_minutes(60), format_minutes(61)) == ("1", "2")
