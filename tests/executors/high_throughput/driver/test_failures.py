"""What the machinery's failures look like to users."""

from __future__ import annotations

import pickle
from concurrent.futures import CancelledError

import pytest

from parsl.app.errors import AppTimeout
from parsl.executors.high_throughput.driver.failures import exception_of
from parsl.executors.high_throughput.errors import ManagerLost, VersionMismatch, WorkerLost
from parsl.executors.high_throughput.wire import protocol
from parsl.executors.high_throughput.wire.protocol import Failure


@pytest.mark.parametrize(
    ("kind", "type_"),
    [
        (protocol.WORKER_LOST, WorkerLost),
        (protocol.MANAGER_LOST, ManagerLost),
        (protocol.TIMED_OUT, AppTimeout),
        (protocol.CANCELLED, CancelledError),
    ],
)
def test_each_kind_has_its_exception(kind: str, type_: type[BaseException]) -> None:
    error = exception_of(Failure(kind, "what happened", host="node"))
    assert type(error) is type_
    assert "what happened" in str(error)


def test_a_lost_worker_is_told_in_detail() -> None:
    error = exception_of(
        Failure(protocol.WORKER_LOST, "it is gone", "node", "2", "m1", worker=3, signal=9, peak_memory=5)
    )
    assert isinstance(error, WorkerLost)
    assert (error.worker_id, error.hostname) == (3, "node")
    assert error.details["signal"] == 9
    assert error.details["block"] == "2"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (WorkerLost(3, "node"), "Task failure due to loss of worker 3 on host node"),
        (ManagerLost("m", "node"), "Task failure due to loss of manager m on host node"),
        (ManagerLost("m", "node", "the power went"), "the power went"),
        (VersionMismatch("a", "b"), "The driver runs a, a manager b. Start both from the same environment"),
    ],
)
def test_errors_read_well_and_can_be_pickled(error: Exception, text: str) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error)
    assert text in str(error)
