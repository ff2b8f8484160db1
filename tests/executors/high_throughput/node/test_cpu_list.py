"""CPU lists: valid lists, and invalid ones that are refused with a reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsl.executors.high_throughput.node.cpu_list import check_cpu_affinity, format_cpus, parse_cpu_list
from parsl.validate import ParameterError

AURORA = (
    "list:0-7,104-111:8-15,112-119:16-23,120-127:24-31,128-135:32-39,136-143:40-47,144-151:"
    "52-59,156-163:60-67,164-171:68-75,172-179:76-83,180-187:84-91,188-195:92-99,196-203"
)


def test_each_worker_has_its_cpus_in_the_order_of_the_list():
    assert parse_cpu_list("0-2,8:5,4") == ((0, 1, 2, 8), (5, 4))


def test_spaces_and_repetitions_within_a_worker_do_not_matter():
    assert parse_cpu_list(" 0 - 1 , 1 : 2 ") == ((0, 1), (2,))


def test_workers_may_share_cpus():
    assert parse_cpu_list("0-1:0-1") == ((0, 1), (0, 1))


def test_the_list_of_aurora_is_twelve_workers_of_sixteen_hardware_threads():
    groups = parse_cpu_list(check_cpu_affinity(AURORA)[len("list:") :])
    assert [len(group) for group in groups] == [16] * 12
    assert groups[6][0] == 52


@pytest.mark.parametrize("mode", ["none", "block", "block-reverse", "alternating"])
def test_the_modes_are_taken_as_they_are(mode):
    assert check_cpu_affinity(mode) == mode


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("list:", "worker 0 has no CPUs"),
        ("list:0:", "worker 1 has no CPUs"),
        ("list:0::1", "worker 1 has no CPUs"),
        ("list:7-0", "runs backwards: write 0-7"),
        ("list:0,a", "'a' is neither a CPU"),
        ("list:0,,1", "'' is neither a CPU"),
        ("list:-1", "'-1' is neither a CPU"),
        ("list:1-2-3", "'1-2-3' is neither a CPU"),
        ("list:²", "neither a CPU"),
        ("list:0-99999999999", "exceeds CPU 65535"),
        ("list", "expected one of 'none'"),
        ("Block", "expected one of 'none'"),
        ("", "expected one of 'none'"),
    ],
)
def test_a_list_that_cannot_be_read_is_refused_with_the_reason(text, reason):
    with pytest.raises(ParameterError) as caught:
        check_cpu_affinity(text)
    assert "HighThroughputExecutor: cpu_affinity is " in str(caught.value)
    assert reason in str(caught.value)


@pytest.mark.parametrize("value", [None, 3, ["list:0"]])
def test_something_else_than_a_string_is_refused(value):
    with pytest.raises(ParameterError, match="cpu_affinity"):
        check_cpu_affinity(value)


@given(st.one_of(st.text(), st.text("0123456789-,: ").map("list:".__add__)))
def test_any_text_is_understood_or_refused(text):
    try:
        check_cpu_affinity(text)
    except ParameterError:
        return


@given(st.lists(st.lists(st.integers(0, 300), min_size=1, unique=True), min_size=1))
def test_what_is_written_is_read_back(groups):
    text = ":".join(format_cpus(group) for group in groups)
    assert [set(cpus) for cpus in parse_cpu_list(text)] == [set(group) for group in groups]
