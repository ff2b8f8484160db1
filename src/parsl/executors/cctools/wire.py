"""Records between the driver and a manager process: batches of JSON, each with its length in front.

Calls and outcomes are not in them: these are files, of which the records have the names. Standard library
only.
"""

from __future__ import annotations

import json
from typing import Any

_LENGTH_BYTES = 4

#: A record: its kind, and what belongs to it.
Record = list[Any]

# From the driver.
OPEN = "open"  # settings
SUBMIT = "submit"  # order
CANCEL = "cancel"  # number
# From the manager process.
READY = "ready"  # facts
FAILED = "failed"  # reason
ENDED = "ended"  # number, facts
WORKERS = "workers"  # list of {"workers", "cores", "memory", "disk", "gpus"}


def encode(records: list[Record]) -> bytes:
    """Return a batch as bytes."""
    body = json.dumps(records).encode()
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


class Decoder:
    """Turns the bytes of a stream into records."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, received: bytes) -> list[Record]:
        """Return the records that the bytes complete."""
        self._rest += received
        records: list[Record] = []
        while len(self._rest) >= _LENGTH_BYTES:
            end = _LENGTH_BYTES + int.from_bytes(self._rest[:_LENGTH_BYTES], "big")
            if len(self._rest) < end:
                break
            records += json.loads(self._rest[_LENGTH_BYTES:end])
            del self._rest[:end]
        return records


class Wire(Decoder):
    """Both directions of a stream."""

    def encode(self, messages: list[Record]) -> bytes:
        """Return a batch as bytes."""
        return encode(messages)
