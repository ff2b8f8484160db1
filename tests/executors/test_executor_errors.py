"""Errors of executors, and the package's lazy imports."""

from __future__ import annotations

import pickle
import threading

import pytest

import parsl.executors
from parsl.errors import ParslError
from parsl.executors.errors import (
    BadMessage,
    BadStateException,
    ExecutorError,
    InvalidResourceSpecification,
    ScalingFailed,
    ThreadLost,
    UnsupportedFeatureError,
)


class Executor:
    """Cannot be pickled, like real executors."""

    label = "htex"

    def __init__(self) -> None:
        self.lock = threading.Lock()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ExecutorError(Executor(), "no"), "Executor htex failed due to: no"),
        (
            BadStateException(Executor(), ValueError("blocks fail")),
            "Executor htex failed due to: blocks fail",
        ),
        (ScalingFailed(Executor(), "qsub"), "Executor htex failed to scale due to: qsub"),
        (
            UnsupportedFeatureError("MPI", "threads", "MPIExecutor"),
            "The MPI feature is not supported by threads; use MPIExecutor for it.",
        ),
        (
            InvalidResourceSpecification({"b", "a"}, "Use priority."),
            "Invalid Resource Specification Supplied: {'a', 'b'}. Use priority.",
        ),
        (InvalidResourceSpecification({"a"}), "Invalid Resource Specification Supplied: {'a'}."),
        (InvalidResourceSpecification(()), "Invalid Resource Specification Supplied: {}."),
        (BadMessage("truncated"), "Received an unsupported message: truncated"),
    ],
)
def test_texts_survive_pickling(error, words):
    assert str(error) == words
    arrived = pickle.loads(pickle.dumps(error))
    assert (type(arrived), str(arrived)) == (type(error), words)
    assert isinstance(error, ParslError)


def test_an_error_has_the_executor_and_its_pickle_the_label():
    executor = Executor()
    error = ExecutorError(executor, "no")
    assert error.executor is executor
    assert pickle.loads(pickle.dumps(error)).executor == "htex"


def test_bad_state_keeps_its_cause():
    cause = ValueError("blocks fail")
    error = BadStateException(Executor(), cause)
    assert (error.__cause__, error.exception, error.reason) == (cause, cause, "blocks fail")


def test_a_lost_thread_is_named_and_survives_pickling() -> None:
    error = ThreadLost("htex-io", "reads results", ValueError("odd"))
    assert "'htex-io', which reads results, has failed with ValueError: odd" in str(error)
    assert isinstance(error.__cause__, ValueError)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_the_package_lists_its_executors():
    assert {"HighThroughputExecutor", "ThreadPoolExecutor"} <= set(dir(parsl.executors))
    with pytest.raises(AttributeError, match=r"no attribute 'Banana'; it has Concur"):
        _ = parsl.executors.Banana
