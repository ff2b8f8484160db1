"""The wire format: messages arrive unchanged, and only malformed ones are refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsl.executors.high_throughput.wire import fork_orders, protocol
from parsl.executors.high_throughput.wire.protocol import DecodeError, Failure, Result, Task, Work, encode

DECODERS = {name: getattr(protocol, name) for name in vars(protocol) if name.startswith("decode_")}

numbers = st.integers(0, 2**62)
tasks = st.builds(
    Task,
    id=numbers,
    function=st.binary(max_size=16),
    payload=st.binary(),
    sizes=st.lists(numbers, max_size=3).map(tuple),
    priority=st.none() | st.floats(allow_nan=False),
    walltime_s=st.none() | st.floats(0, 1e9),
    spooled=st.lists(numbers, max_size=3).map(tuple),
)
results = st.builds(
    Result,
    id=numbers,
    status=st.integers(0, 2),
    payload=st.binary(),
    sizes=st.lists(numbers, max_size=3).map(tuple),
    usage=st.binary(max_size=30),
)
registers = st.builds(
    protocol.Register,
    protocol=st.just(1),
    manager=st.text(),
    parsl_version=st.text(),
    python_version=st.text(),
    host=st.text(),
    block=st.text(),
    pid=numbers,
    workers=numbers,
    capacity=numbers,
    held=st.lists(numbers, max_size=5),
    draining=st.booleans(),
)


@given(st.lists(tasks, max_size=5), st.dictionaries(st.binary(max_size=16), st.binary(), max_size=3))
def test_tasks_arrive_unchanged(sent: list[Task], functions: dict[bytes, bytes]) -> None:
    message = protocol.Tasks(sent, functions)
    assert protocol.decode_from_driver(encode(message)) == message
    assert protocol.decode_to_manager(encode(message)) == message


@given(st.lists(results, max_size=5), numbers)
def test_results_arrive_unchanged(sent: list[Result], capacity: int) -> None:
    message = protocol.Results(sent, capacity)
    assert protocol.decode_from_manager(encode(message)) == message
    assert protocol.decode_to_driver(encode(message)) == message


@given(tasks, st.none() | st.binary(), numbers)
def test_work_arrives_unchanged(task: Task, body: bytes | None, size: int) -> None:
    work = Work(task, body, size)
    assert protocol.decode_work(encode(work)) == work


@given(registers)
def test_registrations_arrive_unchanged(register: protocol.Register) -> None:
    assert protocol.decode_from_manager(encode(register)) == register


@given(registers, st.lists(numbers | st.text() | st.none() | st.lists(numbers), min_size=1, max_size=4))
def test_a_registration_of_a_later_version_can_be_read(register: protocol.Register, more: list[Any]) -> None:
    """The manager can then get the reason of its refusal."""
    later = [*msgspec.msgpack.decode(encode(register)), *more]
    assert protocol.decode_from_manager(encode(later)) == register


def test_a_registration_of_an_earlier_version_can_be_read() -> None:
    register = protocol.Register(1, "m", "v", "3.10", "host", "0", 1, 2, 3)
    earlier = msgspec.msgpack.decode(encode(register))[:10]
    assert protocol.decode_from_manager(encode(earlier)) == register


@pytest.mark.parametrize("name", sorted(DECODERS))
@given(data=st.binary(max_size=300))
def test_arbitrary_bytes_are_refused_and_do_no_harm(name: str, data: bytes) -> None:
    try:
        DECODERS[name](data)
    except DecodeError:
        pass


@given(tasks, st.data())
def test_damaged_messages_are_refused_or_still_well_typed(task: Task, data: Any) -> None:
    sent = bytearray(encode(protocol.Tasks([task], {})))
    sent[data.draw(st.integers(0, len(sent) - 1))] = data.draw(st.integers(0, 255))
    try:
        message = protocol.decode_to_manager(bytes(sent))
    except DecodeError:
        return
    assert isinstance(message, msgspec.Struct)


@pytest.mark.parametrize(
    ("decode", "message"),
    [
        (protocol.decode_from_driver, protocol.Heartbeat()),
        (protocol.decode_to_driver, protocol.Stop("x")),
        (protocol.decode_from_manager, protocol.Welcome(1.0)),
        (protocol.decode_to_manager, protocol.Goodbye("x")),
        (fork_orders.decode_to_fork_server, fork_orders.Exited(1, 0, 0)),
        (fork_orders.decode_from_fork_server, fork_orders.End(1, 0.0)),
    ],
)
def test_messages_for_the_wrong_direction_are_refused(decode: Any, message: Any) -> None:
    with pytest.raises(DecodeError):
        decode(encode(message))


def test_a_failure_is_a_result_of_plain_data() -> None:
    failure = Failure(protocol.WORKER_LOST, "it is gone", host="node", worker=3, signal=9)
    result = protocol.failed(7, failure)
    assert (result.id, result.status) == (7, protocol.FAILED)
    assert protocol.decode_failure(result.payload) == failure
