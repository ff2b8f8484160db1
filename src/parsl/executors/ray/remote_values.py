"""What runs on Ray's workers: calls, whose large results stay in Ray's object store until they are needed."""

from __future__ import annotations

import pickle
from typing import Any

from parsl.executors.engines.remote_call import run_packed, run_with_kept

#: The options of a remote function that returns what :func:`run_and_keep` does.
TWO_RESULTS = {"num_returns": 2}


def run_and_keep(packed: bytes, *kept: Any) -> tuple[Any, Any]:
    """Run a call.

    Args:
        packed: The call.
        kept: Those of its arguments that were in the object store.

    Returns:
        The outcome and b"". For a large result: what the attempt has used, and the outcome as a buffer, which
        stays in the object store until the second reference is read.
    """
    ran = run_with_kept(packed, kept) if kept else run_packed(packed)
    return (ran.usage, pickle.PickleBuffer(ran.packed)) if ran.stays else (ran.packed, b"")


def run_and_keep_bytes(packed: bytes, *kept: Any) -> tuple[Any, Any]:
    """Do the same for a Ray Client, whose server cannot send a buffer."""
    ran = run_with_kept(packed, kept) if kept else run_packed(packed)
    return (ran.usage, ran.packed) if ran.stays else (ran.packed, b"")
