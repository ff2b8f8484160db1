"""Reading the output of workloads, failures and facts about the machine."""

from __future__ import annotations

from benchmarks.launch import parse_values, reason_of
from benchmarks.machine import cpu_model


def test_the_last_result_line_counts_whatever_else_is_printed() -> None:
    stdout = 'banner\n{"values": {"rate": 1}}\n{"values": {"rate": 2.5}}\nbye\n'
    assert parse_values(stdout) == {"rate": 2.5}


def test_without_a_result_line_there_is_no_result() -> None:
    assert parse_values("") is None
    assert parse_values('{"values": {"rate"\n') is None


def test_the_reason_is_the_last_line_that_names_an_error() -> None:
    assert reason_of("Traceback\nValueError: no\nlost connection\n\n") == "ValueError: no"
    assert reason_of("one\ntwo\n") == "two"
    assert reason_of("") == "no message"


def test_the_cpu_is_named_by_its_model() -> None:
    assert cpu_model("processor : 0\nmodel name\t: A  CPU @ 2 GHz\n") == "A CPU @ 2 GHz"
    assert cpu_model("") != ""
