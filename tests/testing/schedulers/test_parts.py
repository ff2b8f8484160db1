"""The small parts that all stand-ins share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsl.testing.schedulers.attributes import format_duration, format_hours_minutes, parse_duration_s
from parsl.testing.schedulers.command import (
    NO_FAULT,
    BadOption,
    Fault,
    parse_short_options,
    set_fault,
    take_fault,
)
from parsl.testing.schedulers.records import (
    AURORA_POLICY,
    FINISHED,
    RUNNING,
    Chunk,
    Job,
    Payload,
    Placement,
    Settings,
)
from parsl.testing.schedulers.store import ClusterStore

HOSTS = ("n1", "n2")
SETTINGS = Settings("pbs", "v23.06.06", "server", "login", HOSTS, AURORA_POLICY, "/bin", 7, 1.5)
PAYLOAD = Payload("#!/bin/sh\n", (("A", "1", "-v"),))


def job(number=1, **fields):
    return Job(
        number=number, name="j", owner="sci", queue="debug", chunks=(Chunk(1, 8),), workdir="/",
        output_path="o", error_path="e", created_s=1.0, modified_s=2.0, **fields,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("1:30", 90), ("0:30:00", 1800), ("100:00:00", 360000), ("1.5", 1.5), ("00:00:05.25", 5.25)],
)
def test_durations(text, seconds):
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "abc", "1:2:3:4", "-5", "1::2", "1.x", "²"])
def test_invalid_durations(text):
    assert parse_duration_s(text) is None


@given(st.integers(0, 10**7))
def test_a_duration_can_be_read_again(seconds):
    assert parse_duration_s(format_duration(seconds)) == seconds


def test_hours_and_minutes_are_rounded_up():
    assert [format_hours_minutes(seconds) for seconds in (0, 1, 60, 3661)] == [
        "00:00",
        "00:01",
        "00:01",
        "01:02",
    ]


def test_short_options():
    options, rest = parse_short_options(["-fx", "-Fjson", "-D", "|", "1", "-f"], "fx", "FD")
    assert options == [("f", ""), ("x", ""), ("F", "json"), ("D", "|")]
    assert rest == ["1", "-f"]
    assert parse_short_options(["-f", "--", "-x"], "f", "") == ([("f", "")], ["--", "-x"])


@pytest.mark.parametrize(
    ("words", "message"), [(["-Z"], "invalid option -- 'Z'"), (["-F"], "option requires an argument -- 'F'")]
)
def test_wrong_short_options(words, message):
    with pytest.raises(BadOption) as caught:
        parse_short_options(words, "f", "F")
    assert str(caught.value) == message


@pytest.fixture
def store(tmp_path):
    made = ClusterStore(str(tmp_path))
    made.create(SETTINGS)
    return made


def test_the_store_keeps_its_records(store):
    with store.transaction() as state:
        assert [state.take_number(), state.take_number()] == [1, 2]
        state.add(job(1), PAYLOAD)
        state.add(job(2, state=FINISHED), PAYLOAD)
    with store.transaction() as state:
        assert state.settings() == SETTINGS
        assert [each.number for each in state.jobs()] == [1, 2]
        assert [each.number for each in state.active_jobs()] == [1]
        assert state.job(3) is None
        assert state.payload(2) == PAYLOAD
        full = job(1, state=RUNNING, placements=(Placement("n1", 8, 2),), exit_status=-29)
        state.update(full)
    with store.transaction() as state:
        assert state.jobs((RUNNING,)) == [full]
        assert full.hosts == ("n1",)


def test_records_interrupted_by_an_exception_are_dropped(store):
    def add_and_fail():
        with store.transaction() as state:
            state.add(job(1), PAYLOAD)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        add_and_fail()
    with store.transaction() as state:
        assert state.jobs() == []


def test_a_fault_happens_as_often_as_requested(store):
    with store.transaction() as state:
        set_fault(state, "qstat", "slow 2.5", 2)
        set_fault(state, "qsub", "exit 3", None)
        taken = [take_fault(state, "qstat") for _ in range(3)]
        assert taken == [Fault("slow", "2.5"), Fault("slow", "2.5"), NO_FAULT]
        assert [take_fault(state, "qsub") for _ in range(3)] == [Fault("exit", "3")] * 3
        assert take_fault(state, "qdel") == NO_FAULT
