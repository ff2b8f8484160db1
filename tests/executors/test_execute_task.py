from __future__ import annotations

import pytest

from parsl.executors.execute_task import execute_task
from parsl.serialize import pack_apply_message
from parsl.serialize.errors import DeserializationError


def test_a_packed_call_is_executed() -> None:
    assert execute_task(pack_apply_message(lambda x, y: x - y, (5,), {"y": 2})) == 3


def test_what_the_function_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        execute_task(pack_apply_message(divmod, (1, 0), {}))


def test_other_bytes_are_refused() -> None:
    with pytest.raises(DeserializationError):
        execute_task(b"no call")
