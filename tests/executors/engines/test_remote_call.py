"""Calls and outcomes as bytes."""

from __future__ import annotations

import pickle
import threading
from typing import Any

import numpy as np
import pytest

from parsl.app.errors import AppException
from parsl.executors.engines import remote_call
from parsl.executors.engines.remote_call import CallPacker, Outcome, read_outcome, run_call, run_here
from parsl.failure_facts import facts_of
from parsl.serialize.errors import DeserializationError, SerializationError


def run(function: Any, *args: Any, **kwargs: Any) -> Outcome:
    return read_outcome(run_call(CallPacker().pack(function, args, kwargs)))


def test_a_call_returns_its_value_and_what_it_has_used() -> None:
    outcome = run(pow, 2, 5)
    assert (outcome.value, outcome.error) == (32, None)
    assert outcome.accounting is not None
    assert outcome.accounting.run_s >= 0
    assert outcome.accounting.peak_memory > 1_000_000


def test_an_error_keeps_its_type_traceback_and_place() -> None:
    def divide() -> float:
        return 1 / 0

    outcome = run(divide)
    assert isinstance(outcome.error, ZeroDivisionError)
    trace = outcome.error.__traceback__
    assert trace is not None
    assert trace.tb_frame.f_code.co_name == "divide"
    assert facts_of(outcome.error).host


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_an_attempt_to_end_the_worker_is_an_outcome(error: BaseException) -> None:
    def stop() -> None:
        raise error

    outcome = run(stop)
    assert isinstance(outcome.error, AppException)
    assert isinstance(outcome.error.__cause__, type(error))


def test_a_function_is_pickled_once_and_its_changes_are_seen() -> None:
    packer = CallPacker()
    state = {"value": 1}

    def read() -> int:
        return state["value"]

    values = []
    for number in range(4):
        state["value"] = number
        values.append(read_outcome(run_call(packer.pack(read, (), {}))).value)
    assert values == [0, 1, 2, 3]


def test_large_arrays_arrive() -> None:
    array = np.arange(100_000)
    assert run(np.sum, array).value == array.sum()
    assert (run(np.negative, array).value == -array).all()


def test_an_argument_that_cannot_be_pickled_is_named() -> None:
    lock = threading.Lock()
    with lock, pytest.raises(SerializationError, match="lock"):
        CallPacker().pack(print, (lock,), {})


def test_a_result_that_cannot_be_pickled_is_an_error_of_the_task() -> None:
    def make() -> Any:
        return (number for number in range(3))

    assert isinstance(run(make).error, SerializationError)


def test_other_versions_are_named_when_a_call_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = list(pickle.loads(CallPacker().pack(abs, (1,), {})))
    packed[0], packed[4] = "1999.1", b"\x80\x05cno_such_module\nname\n."
    error = read_outcome(run_call(pickle.dumps(tuple(packed)))).error
    assert isinstance(error, DeserializationError)
    assert "the driver runs Parsl 1999.1" in str(error)
    assert "start both from the same environment" in str(error)


def test_an_outcome_that_is_not_one_is_an_error() -> None:
    assert isinstance(read_outcome(b"nonsense").error, Exception)


def test_a_call_in_this_process_shares_objects() -> None:
    lock = threading.Lock()
    assert run_here(lambda value: value, (lock,), {}).value is lock
    failure = run_here(lambda: 1 / 0, (), {})
    assert isinstance(failure.error, ZeroDivisionError)


def test_the_table_of_functions_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_call, "_MAX_FUNCTIONS", 2)
    for number in range(5):
        packer = CallPacker()

        def own_number(number: int = number) -> int:
            return number

        for _ in range(2):
            assert read_outcome(run_call(packer.pack(own_number, (), {}))).value == number
