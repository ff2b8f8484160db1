"""What a worker has measured of an attempt, packed into its result: only the driver needs to unpack it."""

from __future__ import annotations

import struct

from parsl.executors.high_throughput.wire.protocol import Result
from parsl.vocabulary.run_observer import Accounting

_USAGE = struct.Struct("<dqii")

#: Packs processor time, peak memory, and the numbers of manager and worker, as in an `Accounting`.
pack_usage = _USAGE.pack


def accounting_of(result: Result) -> Accounting | None:
    """Return what the worker has measured, if it has."""
    if len(result.usage) != _USAGE.size:
        return None
    # The constructor of a named tuple takes several times as long.
    return tuple.__new__(Accounting, (result.run_s, *_USAGE.unpack(result.usage)))
