"""What runs on Dask's workers: calls, whose large results stay there until they are needed."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

from parsl.executors.engines import remote_call
from parsl.executors.engines.remote_call import Ran, run_packed

#: An outcome of at most this many bytes travels as an event, with the message that the task has ended.
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


def _kept_if_large(ran: Ran) -> bytes | KeptOutcome:
    return KeptOutcome(ran.packed) if ran.stays else ran.packed


def run_and_report(packed: bytes, topic: str, number: int) -> bytes | KeptOutcome:
    """Run a call, and send a small outcome at once: fetching it would cost several messages.

    Args:
        packed: The call.
        topic: The topic of outcomes of the client.
        number: The number of the call.
    """
    from distributed import get_worker

    outcome = _kept_if_large(run_packed(packed))
    if type(outcome) is bytes and len(outcome) <= MAX_REPORTED_BYTES:
        get_worker().log_event(topic, (number, outcome))
    return outcome


def run_with_kept(packed: bytes, kept: Sequence[KeptOutcome]) -> bytes | KeptOutcome:
    """Run a call; some of its arguments are results that have stayed in the cluster."""
    return _kept_if_large(remote_call.run_with_kept(packed, [outcome.data for outcome in kept]))
