"""The measurements in a result."""

from __future__ import annotations

import pytest

from parsl.executors.high_throughput.wire.protocol import DONE, Result
from parsl.executors.high_throughput.wire.usage import accounting_of, pack_usage
from parsl.vocabulary.run_observer import Accounting


def test_the_measurements_of_a_worker_arrive() -> None:
    result = Result(1, DONE, b"", run_s=1.5, usage=pack_usage(0.5, 2**40, 7, 3))
    assert accounting_of(result) == Accounting(1.5, 0.5, 2**40, 7, 3)
    assert type(accounting_of(result)) is Accounting


@pytest.mark.parametrize("usage", [b"", b"too short", bytes(25)])
def test_without_measurements_there_is_no_accounting(usage: bytes) -> None:
    assert accounting_of(Result(1, DONE, b"", run_s=1.5, usage=usage)) is None
