"""What runs on Dask's workers: calls, whose large results stay there until they are needed."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

from parsl.executors.engines.remote_call import read_outcome, run_call
from parsl.vocabulary.kept_value import values_in_place

#: The outcome of a call stays on its worker if it has at least this many bytes. To fetch a smaller one costs
#: less than to ask for it later.
MIN_KEPT_BYTES = 1_000_000


#: An outcome of at most this many bytes travels as an event, together with the news that the task has ended.
MAX_REPORTED_BYTES = 16_000


class KeptOutcome:
    """The bytes of a large result. Dask names the class of a result when the task has ended.

    Args:
        data: What ``run_call`` has returned.
    """

    __slots__ = ("data",)

    def __init__(self, data: Any) -> None:
        self.data = data

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return KeptOutcome, (pickle.PickleBuffer(self.data) if protocol >= 5 else bytes(self.data),)

    def __sizeof__(self) -> int:
        return len(self.data)  # by which Dask decides what to spill, and where tasks run


def run_and_keep(packed: bytes) -> bytes | KeptOutcome:
    """Run a call. Errors never stay."""
    outcome = run_call(packed)
    if len(outcome) < MIN_KEPT_BYTES or pickle.loads(outcome)[0]:
        return outcome
    return KeptOutcome(outcome)


def run_and_report(packed: bytes, topic: str, number: int) -> bytes | KeptOutcome:
    """Run a call, and send a small outcome at once: to fetch it would cost several messages.

    Args:
        packed: The call.
        topic: The topic of outcomes of the client.
        number: The number of the call.
    """
    from distributed import get_worker

    outcome = run_and_keep(packed)
    if type(outcome) is bytes and len(outcome) <= MAX_REPORTED_BYTES:
        get_worker().log_event(topic, (number, outcome))
    return outcome


def run_with_kept(packed: bytes, kept: Sequence[KeptOutcome]) -> bytes | KeptOutcome:
    """Run a call some of whose arguments are results that have stayed in the cluster."""
    with values_in_place([read_outcome(outcome.data).value for outcome in kept]):
        return run_and_keep(packed)
